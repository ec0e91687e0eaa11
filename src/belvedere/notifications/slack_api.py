"""Calls to Slack's Web API, and what its answers mean here.

Facts: docs.slack.dev/apis/web-api (authentication, `ok`, 429 with Retry-After), /reference/methods/* (errors). The
token goes to the API only, in a header; it is in no address, log or error.
What is not here: the order of calls (`slack.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx2

from belvedere.kernel.errors import Later, Stuck
from belvedere.kernel.secret import Secret
from belvedere.notifications.model import RateLimited


@dataclass(frozen=True, slots=True)
class _Remedy:
    """What mends a refusal, and the type of problem that says so at length."""

    hint: str
    code: str = "slack-refused"


_RENEW: Final = _Remedy(
    "Put a working bot token (`xoxb-...`) into the credential SLACK_BOT_TOKEN, then send again.", code="slack-token"
)
_CHANNEL: Final = _Remedy(
    "Put the channel's ID (not its name) into the credential SLACK_CHANNEL_ID, then send again.", code="slack-channel"
)
_INVITE: Final = _Remedy("Write `/invite @<the app>` in that channel, then send again.", code="slack-channel")
_SCOPE: Final = _Remedy("Add the scope to the Slack app and install it again.", code="slack-scope")
_ADMIN: Final = _Remedy("Ask the workspace's admin.", code="slack-workspace")
_SMALLER: Final = _Remedy("Lower CAPTURE_FRAMES.", code="slack-workspace")

_MEANINGS: Final[Mapping[str, tuple[str, _Remedy]]] = {
    "invalid_auth": ("Slack does not know the bot token.", _RENEW),
    "not_authed": ("Slack got no bot token.", _RENEW),
    "account_inactive": ("The bot token belongs to a deleted user or workspace.", _RENEW),
    "token_revoked": ("The bot token was revoked.", _RENEW),
    "token_expired": ("The bot token has expired.", _RENEW),
    "not_allowed_token_type": ("Slack wants another kind of token for this.", _RENEW),
    "channel_not_found": ("Slack does not know the channel, or it is private and the bot is not in it.", _CHANNEL),
    "not_in_channel": ("The bot is not in the channel.", _INVITE),
    "is_archived": ("The channel is archived.", _CHANNEL),
    "restricted_action": ("The workspace does not let the bot post there.", _ADMIN),
    "missing_scope": ("The bot token lacks a scope.", _SCOPE),
    "file_uploads_disabled": ("The workspace has switched off uploads.", _ADMIN),
    "file_upload_size_restricted": ("The picture is larger than the workspace allows.", _SMALLER),
    "file_type_not_allowed": ("The workspace allows no GIF files.", _ADMIN),
    "storage_limit_reached": ("The workspace's storage is full.", _ADMIN),
    "method_deprecated": ("Slack has retired this call.", _Remedy("Use a newer Belvedere.")),
}
_UNKNOWN: Final = _Remedy("Look the word up in Slack's documentation.")
_PASSING: Final = frozenset({
    "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org",
})
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_OK: Final = 200
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class SlackRefused(Stuck):
    """Slack refused the call. The hint says what to change."""

    code = "slack-refused"

    def __init__(self, detail: str, *, hint: str, reason: str, code: str | None = None) -> None:
        """Keep Slack's own word for it in `reason`; the problem type tells only what mends it."""
        super().__init__(detail, hint=hint, code=code)
        self.reason = reason


class Unsure(Later):
    """The connection to Slack broke after the request was on its way. It is looked up before anything is sent again."""

    code = "slack-unsure"


@dataclass(frozen=True, slots=True)
class Answer:
    """What Slack said: the document, and the scopes that it names in a header."""

    body: Mapping[str, Any]
    scopes: frozenset[str]


class SlackApi:
    """Slack's Web API with one bot token."""

    def __init__(self, client: httpx2.Client, token: Secret) -> None:
        """`client` has the API's address as its base."""
        self._client = client
        self._token = token

    def call(self, method: str, arguments: Mapping[str, Any], *, encoded: Literal["form", "json"] = "form") -> Answer:
        """Call a method and return its answer.

        Raises:
            RateLimited: Slack asked to wait.
            Unsure: the request may have been taken.
            Later: it certainly was not, and may go through another time.
            SlackRefused: a person must act.
        """
        headers = {"Authorization": f"Bearer {self._token.reveal()}"}
        try:
            if encoded == "json":
                response = self._client.post(method, json=dict(arguments), headers=headers)
            else:
                response = self._client.post(method, data=dict(arguments), headers=headers)
        except httpx2.HTTPError as error:
            raise _lost(error, method) from None
        return _answer(response, method)

    def upload(self, url: str, content: bytes) -> None:
        """Send a file's bytes to the address that Slack gave for them. The address is its own key: no token goes along.

        Raises:
            Later: they did not arrive; sending them again does no harm.
            SlackRefused: the address does not take them.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            message = "Slack gave an upload address that is not https, so nothing was sent there."
            raise SlackRefused(message, hint="Check BELVEDERE_SLACK_API_URL.", reason="upload_address")
        try:
            response = self._client.post(url, content=content, headers={"Content-Type": "application/octet-stream"})
        except httpx2.HTTPError as error:
            message = f"The upload to Slack broke off ({type(error).__name__})."
            raise Later(message, code="slack-away") from None
        if response.status_code == _TOO_MANY or response.status_code >= _SERVER_ERROR:
            _answer(response, "the upload")
        if response.status_code != _OK:
            message = f"Slack's upload address answered {response.status_code}."
            raise SlackRefused(message, hint="It is tried with a new address.", reason="upload_refused")


def _lost(error: httpx2.HTTPError, method: str) -> Later:
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        message = f"Slack cannot be reached for {method} ({type(error).__name__})."
        return Later(message, code="slack-away")
    message = f"The connection to Slack broke while it worked on {method} ({type(error).__name__})."
    return Unsure(message)


def _answer(response: httpx2.Response, method: str) -> Answer:
    if response.status_code == _TOO_MANY:
        wait_s = _seconds(response.headers.get("Retry-After", ""))
        message = f"Slack asked to wait {wait_s:g} s before {method}."
        raise RateLimited(message, retry_in_s=wait_s)
    if response.status_code >= _SERVER_ERROR:
        message = f"Slack answered {response.status_code} for {method}."
        raise Later(message, code="slack-away")
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or "ok" not in body:
        message = f"{response.url.host} answered {response.status_code} for {method}, and not as Slack does."
        raise SlackRefused(message, hint="Check BELVEDERE_SLACK_API_URL and the proxy.", reason="not_slack")
    if not body["ok"]:
        raise _refused(body, method)
    scopes = response.headers.get("x-oauth-scopes", "").split(",")
    return Answer(body, frozenset(one.strip() for one in scopes if one.strip()))


def _seconds(header: str) -> float:
    try:
        return min(3600.0, max(1.0, float(header)))
    except ValueError:
        return 30.0


def _refused(body: Mapping[str, Any], method: str) -> Later | SlackRefused:
    reason = str(body.get("error", "unknown"))[:80]
    if reason in {"ratelimited", "rate_limited"}:
        return RateLimited(f"Slack asked to wait before {method}.", retry_in_s=30.0)
    if reason in _PASSING:
        return Later(f"Slack could not do {method} right now ({reason}).", code="slack-away")
    text, remedy = _MEANINGS.get(reason, (f"Slack refused {method}: {reason}.", _UNKNOWN))
    if reason == "missing_scope":
        text = f"The bot token lacks the scope `{str(body.get('needed', 'unknown'))[:80]}` for {method}."
    return SlackRefused(text, hint=remedy.hint, reason=reason, code=remedy.code)
