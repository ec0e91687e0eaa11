"""What a message looks like in Slack. Pure.

Names come from tenants' tables, so they are hostile until escaped: `<!channel>` in a name must call nobody.
Facts: docs.slack.dev/messaging/formatting-message-text (escaping), /reference/block-kit/blocks (limits).
"""

from typing import Any, Final
from urllib.parse import quote

from belvedere.notifications.model import Message
from belvedere.notifications.outbox import without_picture

MOST_HEADER: Final = 150
"""Characters of a header block (Slack's limit)."""

MOST_SECTION: Final = 3000
"""Characters of a section's text (Slack's limit)."""

MOST_ALT: Final = 1000
"""Characters of a picture's description (Slack's limit)."""

_MOST_NAME: Final = 300
_CONTROL: Final = dict.fromkeys((*range(32), 127, 8232, 8233), " ")


def one_line(text: str, most: int) -> str:
    """Return the text on one line, cut to `most` characters with a mark where it was cut."""
    flat = " ".join(text.translate(_CONTROL).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def escaped(text: str) -> str:
    """Escape the three characters that Slack reads as control: nothing becomes a mention or a link any more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, label: str) -> str:
    """Return a link with a label. The bar ends a link's address, so neither side may hold one."""
    address = escaped(quote(url, safe=":/?#[]@!$&'()*+,;=%~-._"))
    return f"<{address}|{escaped(one_line(label, _MOST_NAME)).replace('|', '¦')}>"


def block_id(message: Message) -> str:
    """Return the id by which the message can be found in the channel again."""
    return f"belvedere-{message.key}"


def posted(message: Message, channel: str, missing: str | None = None) -> dict[str, Any]:
    """Return the arguments of `chat.postMessage`: a header, the link, and what is missing if something is."""
    header = _cut(f"New Dashboard Created by {one_line(message.creator, _MOST_NAME)}", MOST_HEADER)
    body = f"Your dashboard is ready: {link(message.url, message.title)}"[:MOST_SECTION]
    blocks: list[dict[str, Any]] = [
        {
            "type": "header", "block_id": block_id(message),
            "text": {"type": "plain_text", "text": header, "emoji": False},
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": body}},
    ]
    note = missing or without_picture(message)
    if note:
        told = {"type": "mrkdwn", "text": _cut(one_line(note, MOST_ALT), MOST_SECTION)}
        blocks.append({"type": "context", "elements": [told]})
    creator = escaped(one_line(message.creator, _MOST_NAME))
    text = f"New Dashboard Created by {creator}: {link(message.url, message.title)}"
    return {"channel": channel, "text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _cut(text: str, most: int) -> str:
    """Escape, and cut before escaping so that no entity is cut in two."""
    while len(escaped(text)) > most:
        text = text[: len(text) - max(1, len(escaped(text)) - most)]
    return escaped(text)


def comment(message: Message) -> str:
    """Return the words that stand with the picture: they link too, should the text be lost."""
    return f"{link(message.url, message.title)} by {escaped(one_line(message.creator, _MOST_NAME))}"


def described(message: Message) -> str:
    """Return the picture's description for those who do not see it."""
    return one_line(f"Preview of the dashboard {message.title}", MOST_ALT)
