"""Slack as a channel: a text with the link, then the picture as a file of its own, each step once.

The picture's bytes go first, because nobody sees them until they are shared: whatever is wrong with them is known
before the text goes out, and the text says so. Facts: docs.slack.dev/reference/methods (files.getUploadURLExternal,
files.completeUploadExternal, chat.postMessage, conversations.*, auth.test). What is not here: how Slack's answers
are read (`slack_api.py`), how messages look (`slack_text.py`).
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache
from typing import Any, Final

import httpx2

from belvedere.kernel.errors import Later
from belvedere.kernel.failpoints import failpoint
from belvedere.kernel.http import client
from belvedere.kernel.secret import Secret
from belvedere.notifications import slack_text
from belvedere.notifications.model import Check, Doubtful, Entry, Ledger, Message, Outcome, RateLimited
from belvedere.notifications.outbox import without_picture
from belvedere.notifications.slack_api import SlackApi, SlackRefused, Unsure

SCOPES: Final = {
    "chat:write": "send messages",
    "files:write": "send pictures",
}
"""What the bot must be allowed; without the second, messages go out as text."""

_TIMEOUT_S: Final = 30.0
_PICTURE_TRIES: Final = 3
_SHARE_TRIES: Final = 5
_ABOUT_PICTURE: Final = frozenset({
    "missing_scope", "file_uploads_disabled", "file_uploads_except_images_disabled", "file_upload_size_restricted",
    "file_type_not_allowed", "storage_limit_reached", "method_deprecated", "unknown_method", "upload_address",
    "alt_txt_too_large", "missing_argument",
})
"""Refusals that concern the picture alone: the text goes out without it."""

_IN_DOUBT: Final = (
    "Slack may have the {} already: the connection broke after it was handed over. It was not sent again."
)

Look = Callable[[Entry], dict[str, Any] | None]


class _NoPicture(Exception):
    """The picture cannot go out; the argument says why."""


class SlackChannel:
    """One channel of one workspace."""

    def __init__(self, *, api: SlackApi, channel: str) -> None:
        """`channel` is the channel's ID."""
        self._api = api
        self._channel = channel

    @property
    def name(self) -> str:
        """The channel's ID, as people gave it."""
        return self._channel

    def deliver(self, message: Message, ledger: Ledger) -> Outcome:
        """Send what is not sent yet.

        Raises:
            Later: try again; what is done stays done.
            Stuck: a person must act.
        """
        missing = without_picture(message)
        file = None
        try:
            file = self._uploaded(message, ledger)
        except _NoPicture as error:
            missing = f"Text instead of a preview: {error}"
        doubt = self._text(message, ledger, missing)
        if file is None:
            if doubt:
                raise Doubtful(doubt, hint="Look in the channel. Send again if the message is not there.")
            return Outcome(fallback=missing)
        try:
            unknown = self._shared(message, ledger, file)
        except _NoPicture as error:
            return Outcome(fallback=f"Text without its preview: {error}", doubt=doubt)
        return Outcome(fallback=missing, doubt=doubt or unknown)

    # --- the three steps of a picture ----------------------------------------------------------------------

    def _uploaded(self, message: Message, ledger: Ledger) -> str | None:
        """Have the picture's bytes at Slack, seen by nobody yet; return the file's id."""
        if message.picture is None:
            return None
        try:
            content = message.picture.read_bytes()
        except OSError:
            gone = "the picture is not there any more."
            raise _NoPicture(gone) from None
        try:
            return self._upload(message, ledger, content)
        except RateLimited:
            raise
        except Later as error:
            if max(ledger.tries("address"), ledger.tries("bytes")) < _PICTURE_TRIES:
                raise
            raise _NoPicture(error.detail) from None
        except SlackRefused as error:
            if error.reason not in _ABOUT_PICTURE:
                raise
            raise _NoPicture(error.detail) from None

    def _upload(self, message: Message, ledger: Ledger, content: bytes) -> str:
        name = f"dashboard{message.picture.suffix if message.picture else '.gif'}"

        def address() -> dict[str, Any]:
            arguments = {"filename": name, "length": str(len(content)), "alt_txt": slack_text.described(message)}
            body = self._api.call("files.getUploadURLExternal", arguments).body
            return {"url": str(body.get("upload_url")), "file": str(body.get("file_id")), "length": len(content)}

        def send() -> dict[str, Any]:
            self._api.upload(str(place["url"]), content)
            return {"length": len(content)}

        place = _once(ledger, "address", address, _again)
        if ledger.tries("text") == 0 and place["length"] != len(content):
            # A newer picture took the place of the one that the address was asked for.
            ledger.undo("bytes")
            ledger.undo("address")
            place = _once(ledger, "address", address, _again)
        try:
            _once(ledger, "bytes", send, _again)
        except SlackRefused as error:
            if error.reason == "upload_refused":
                # The address has gone stale; another try gets a new one.
                ledger.undo("address")
                raise Later(error.detail, code="slack-away") from None
            raise
        return str(place["file"])

    def _shared(self, message: Message, ledger: Ledger, file: str) -> str | None:
        """Show the picture in the channel; return the doubt if nobody can know whether it is there."""
        title = "Dashboard GIF" if message.picture is None or message.picture.suffix == ".gif" else "Dashboard still"

        def share() -> dict[str, Any]:
            arguments = {
                "files": [{"id": file, "title": title}], "channel_id": self._channel,
                "initial_comment": slack_text.comment(message),
            }
            self._api.call("files.completeUploadExternal", arguments, encoded="json")
            return {"file": file}

        try:
            result = _once(ledger, "share", share, lambda entry: self._look_for_file(entry, file))
        except RateLimited:
            raise
        except Later as error:
            if ledger.tries("share") < _SHARE_TRIES or isinstance(error, Unsure):
                raise
            raise _NoPicture(error.detail) from None
        except SlackRefused as error:
            raise _NoPicture(f"{error.detail} {error.hint or ''}".strip()) from None
        return result.get("doubt")

    # --- the text ------------------------------------------------------------------------------------------

    def _text(self, message: Message, ledger: Ledger, missing: str | None) -> str | None:
        """Have the text in the channel; return the doubt if nobody can know whether it is there."""
        def post() -> dict[str, Any]:
            arguments = slack_text.posted(message, self._channel, missing)
            try:
                body = self._api.call("chat.postMessage", arguments, encoded="json").body
            except SlackRefused as error:
                if error.reason != "not_in_channel" or not self._joined():
                    raise
                body = self._api.call("chat.postMessage", arguments, encoded="json").body
            return {"ts": body.get("ts")}

        return _once(ledger, "text", post, lambda entry: self._look_for_text(entry, message)).get("doubt")

    def _joined(self) -> bool:
        """Enter a public channel, if the token may."""
        with suppress(SlackRefused):
            self._api.call("conversations.join", {"channel": self._channel})
            return True
        return False

    # --- what is there already -----------------------------------------------------------------------------

    def _look_for_text(self, entry: Entry, message: Message) -> dict[str, Any] | None:
        """Find a text that Slack may have taken before the connection broke; None if it certainly is not there."""
        oldest = (entry.begun_at - timedelta(seconds=60)).timestamp()
        arguments = {"channel": self._channel, "oldest": f"{oldest:.6f}", "limit": "100"}
        try:
            body = self._api.call("conversations.history", arguments).body
        except SlackRefused:
            body = None
        if body is not None:
            wanted = slack_text.block_id(message)
            for posted in body.get("messages", []):
                if any(block.get("block_id") == wanted for block in posted.get("blocks", [])):
                    return {"ts": posted.get("ts"), "found": True}
            if not body.get("has_more"):
                return None
        return {"doubt": _IN_DOUBT.format("text")}

    def _look_for_file(self, _entry: Entry, file: str) -> dict[str, Any]:
        """Find out whether a picture is in the channel. That it does not show yet proves nothing: Slack works on it."""
        with suppress(SlackRefused):
            shares = self._api.call("files.info", {"file": file}).body.get("file", {}).get("shares", {})
            if any(self._channel in channels for channels in shares.values()):
                return {"file": file, "found": True}
        return {"doubt": _IN_DOUBT.format("picture")}

    # --- the connection test -------------------------------------------------------------------------------

    def check(self) -> list[Check]:
        """Ask Slack who the bot is, whether it knows the channel, and enter the channel where it may."""
        try:
            answer = self._api.call("auth.test", {})
        except (Later, SlackRefused) as error:
            return [Check("auth.test", ok=False, text=error.detail, hint=error.hint or "Try again in a minute.")]
        body = answer.body
        checks = [Check("auth.test", ok=True, text=f"Slack knows the bot: {body.get('user')} in {body.get('team')}.")]
        for scope, purpose in SCOPES.items():
            if answer.scopes and scope not in answer.scopes:
                hint = f"Add the scope `{scope}` to the Slack app and install it again."
                checks.append(Check(scope, ok=False, text=f"The bot may not {purpose}.", hint=hint))
        return [*checks, *self._check_channel()]

    def _check_channel(self) -> list[Check]:
        try:
            found = self._api.call("conversations.info", {"channel": self._channel}).body.get("channel", {})
        except SlackRefused as error:
            if error.reason == "missing_scope":
                text = "Whether the channel is there cannot be asked; the first message will tell."
                hint = "Add the scope `channels:read` (`groups:read` for private channels) to see it here."
                return [Check("conversations.info", ok=True, text=text, hint=hint)]
            return [Check("conversations.info", ok=False, text=error.detail, hint=error.hint or "")]
        except Later as error:
            return [Check("conversations.info", ok=False, text=error.detail, hint="Try again in a minute.")]
        return [self._check_membership(found)]

    def _check_membership(self, found: Mapping[str, Any]) -> Check:
        name = found.get("name", self._channel)
        if found.get("is_archived"):
            return Check("conversations.info", ok=False, text=f"#{name} is archived.", hint="Choose another channel.")
        if found.get("is_member", True):
            return Check("conversations.info", ok=True, text=f"The bot is in #{name}.")
        try:
            self._api.call("conversations.join", {"channel": self._channel})
        except (Later, SlackRefused) as error:
            hint = f"Write `/invite @<the app>` in #{name}."
            return Check("conversations.join", ok=False, text=f"The bot is not in #{name}. {error.detail}", hint=hint)
        return Check("conversations.join", ok=True, text=f"The bot entered #{name}.")


def slack(address: str, *, timeout_s: float = _TIMEOUT_S) -> Callable[[Secret, str], SlackChannel]:
    """Return what opens a channel of the Slack at `address`, all over one pool of connections.

    An answer that takes longer than `timeout_s` counts as none: what was asked may have been done.
    """

    @cache
    def pool() -> httpx2.Client:
        return client(address, timeout_s=timeout_s)

    def opened(token: Secret, channel: str) -> SlackChannel:
        return SlackChannel(api=SlackApi(pool(), token), channel=channel)

    return opened


def _again(_entry: Entry) -> None:
    """Nothing has to be looked for: the step may be done twice."""
    return


def _once(ledger: Ledger, step: str, deed: Callable[[], dict[str, Any]], look: Look) -> dict[str, Any]:
    """Do a step unless the ledger knows its result; one that was begun without an end is looked for first."""
    entry = ledger.entry(step)
    if entry is not None and entry.result is not None:
        return entry.result
    if entry is not None:
        found = look(entry)
        if found is not None:
            ledger.finish(step, found)
            return found
    ledger.begin(step)
    failpoint("notifications.slack.step-begun")
    try:
        result = deed()
    except Unsure:
        raise
    except (Later, SlackRefused):
        ledger.undo(step)
        raise
    failpoint("notifications.slack.step-done")
    ledger.finish(step, result)
    failpoint("notifications.slack.step-written")
    return result
