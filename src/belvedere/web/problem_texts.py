"""What each type of problem means, for `/problems/<type>`: the pages that RFC 9457 types lead to."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Problem:
    """A type of problem: what it is called, where it comes from, what it affects, what to do."""

    title: str
    cause: str
    affects: str
    fix: str


PROBLEMS: Final = {
    "rejected": Problem(
        "The request cannot be carried out as it stands",
        "A value is missing or has a shape that cannot be right.",
        "Nothing was changed.",
        "Read the detail, change that value, send it again.",
    ),
    "not-found": Problem(
        "There is no such thing here",
        "The name or id is wrong, the thing was deleted, or it belongs to another tenant. "
        "The answer is the same in all three cases, on purpose.",
        "Nothing was changed.",
        "Check the name, or search for it.",
    ),
    "unauthenticated": Problem(
        "Nobody is signed in",
        "The session ended, or the request carried no token, or one that was revoked or has expired.",
        "Nothing was changed.",
        "Sign in again, or send `Authorization: Bearer` with a token of `belvedere token create`.",
    ),
    "sign-in": Problem(
        "Name and password do not belong together",
        "One of the two is wrong, or the account is closed. The answer does not tell which.",
        "After five failures each further try waits longer.",
        "Check both. An admin can reset a password.",
    ),
    "forbidden": Problem(
        "Your role does not allow this",
        "Viewers look, operators run, admins change the installation.",
        "Nothing was changed. The refusal stands in the history.",
        "Ask somebody whose role allows it.",
    ),
    "form-expired": Problem(
        "The form is older than your session",
        "You signed out or in again after the page with the form was loaded.",
        "Nothing was changed.",
        "Reload the page and send the form again.",
    ),
    "other-site": Problem(
        "The request came from another site",
        "A page that is not ours made your browser send it, or a proxy changes the Host header.",
        "Nothing was changed.",
        "Open the page here. Behind a proxy, pass the Host header on or set BELVEDERE_TRUSTED_PROXIES.",
    ),
    "conflict": Problem(
        "It changed, or exists already",
        "Somebody else changed it after you read it, or something of that name exists.",
        "Nothing was changed.",
        "Read it again, then decide.",
    ),
    "exists": Problem(
        "The name is taken",
        "Names are compared without case, because databases and file systems may be.",
        "Nothing was changed.",
        "Choose another name, or open what exists.",
    ),
    "too-many": Problem(
        "Too many requests",
        "More came in a short time than is served, or too many sign-ins failed.",
        "This request was not carried out.",
        "Wait for the seconds in `Retry-After`, then try again.",
    ),
    "too-large": Problem(
        "That is too large",
        "The request body is longer than BELVEDERE_MAX_BODY_BYTES.",
        "Nothing was read.",
        "Send less at a time, or raise the setting.",
    ),
    "later": Problem(
        "It cannot be done right now",
        "Something it needs is away or busy.",
        "Work that was accepted is tried again by itself.",
        "Wait for the seconds in `Retry-After`.",
    ),
    "database-away": Problem(
        "The control database does not answer",
        "PostgreSQL is down, restarts, or all its connections are in use.",
        "Nothing can be changed; accepted work waits.",
        "Look at `belvedere status` and at the server's own log. Pages come back by themselves.",
    ),
    "stuck": Problem(
        "It needs a human",
        "An outside system refused for good: a right was taken away, a token is wrong.",
        "It is not tried again by itself. The rest runs on.",
        "Do what the hint says, then press Try again.",
    ),
    "no-browser": Problem(
        "No Chromium is on this machine",
        "Previews need a Chromium browser on a host that runs `belvedere jobs`.",
        "Dashboards work; messages go out as text.",
        "Install it: `apt install chromium`, or set BELVEDERE_BROWSER.",
    ),
    "capture-failed": Problem(
        "A preview was not captured",
        "The page was not ready in time, or the browser ended.",
        "It is tried again a few times; after that the message goes out as text.",
        "Open the dashboard: the panel that is not drawn says why.",
    ),
    "rate-limited": Problem(
        "The channel asked to wait",
        "Slack limits how many messages it takes.",
        "The delivery goes out by itself after that.",
        "Nothing to do.",
    ),
    "delivery-doubt": Problem(
        "The other side may have the message already",
        "The connection broke after the message was handed over.",
        "It is not sent again by itself, so that nobody reads it twice.",
        "Look into the channel; press Send again only if it is missing.",
    ),
    "key-name": Problem(
        "That is no name for a credential",
        "Names have at most 63 letters, digits, `_`, `-` or `.` and begin with a letter.",
        "Nothing was changed.",
        "Use a name such as DB_HOST.",
    ),
    "key-value": Problem(
        "That value cannot be right",
        "Known keys are checked for their shape: a port is a number, a Slack channel an id.",
        "Nothing was changed.",
        "Read the detail; it never quotes the value.",
    ),
    "reason": Problem(
        "A reason is missing",
        "Who reveals a secret says why, in at least eight characters.",
        "Nothing was shown.",
        "Write why you need it. It goes to the history.",
    ),
    "confirm": Problem(
        "The name was not typed",
        "Deleting a tenant cannot be undone, so its name is asked for.",
        "Nothing was changed.",
        "Type the name exactly.",
    ),
    "password": Problem(
        "That password does not do",
        "It is short, common, like the name, or the same as before.",
        "Nothing was changed.",
        "Use at least twelve characters; three unrelated words do.",
    ),
    "last-admin": Problem(
        "It is the last admin",
        "Without an admin nobody could change the installation.",
        "Nothing was changed.",
        "Make another admin first.",
    ),
    "setting": Problem(
        "A setting does not parse",
        "A value in the environment or in .env is not of its type.",
        "The program does not start.",
        "Change the value; `belvedere settings` lists each with its type.",
    ),
    "newer-schema": Problem(
        "The database is newer than the program",
        "A newer Belvedere has migrated it.",
        "This program does not start.",
        "Start the newer program, or restore a backup made by this one.",
    ),
    "shape": Problem(
        "The request has a wrong shape",
        "A member is missing, misspelt, or not of its type; `field` names it.",
        "Nothing was changed.",
        "Compare with /api/v1/openapi.json and send it again.",
    ),
    "json": Problem(
        "The body is not JSON",
        "It is not well-formed, or not in UTF-8.",
        "Nothing was changed.",
        "Check quotes, commas and encoding.",
    ),
    "media-type": Problem(
        "The body is not declared as JSON",
        "The Content-Type says something else.",
        "Nothing was read.",
        "Send `Content-Type: application/json`.",
    ),
    "method": Problem(
        "The address does not know that method",
        "The Allow header lists those it knows.",
        "Nothing was changed.",
        "Check the method in the reference.",
    ),
    "csrf": Problem(
        "A signed-in browser's request lacks its token",
        "Requests with a cookie that change something must carry the page's token.",
        "Nothing was changed.",
        "Send `X-CSRF-Token`, or use an API token in place of the cookie.",
    ),
    "idempotency-key": Problem(
        "The Idempotency-Key has a wrong form",
        "It is empty, too long, or holds control characters.",
        "Nothing was changed.",
        "Use 1 to 255 printable characters, such as a UUID.",
    ),
    "idempotency-key-reused": Problem(
        "The Idempotency-Key was used for another request",
        "Within 24 hours a key stands for one request.",
        "Nothing was changed.",
        "Take a new key for each deed.",
    ),
    "idempotency-key-in-use": Problem(
        "The first request with this Idempotency-Key is at work",
        "It has not been answered yet.",
        "This one was not carried out beside it.",
        "Send it again in a second.",
    ),
    "error": Problem(
        "Belvedere made a mistake",
        "A case that nobody foresaw.",
        "What was written before stays; the history shows what ended how.",
        "Try again. If it stays, report the request id.",
    ),
}
"""By code, as `BelvedereError.problem` has it."""
