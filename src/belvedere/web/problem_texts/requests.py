"""Problems of any request, whoever sends it and whatever it is about."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

REQUESTS: Final = {
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
    "conflict": Problem(
        "It changed, or exists already",
        "Somebody else changed it after you read it, or something of that name exists. A credential carries a "
        "version so that nobody overwrites what they have not seen.",
        "Nothing was changed.",
        "Read it again, then decide.",
    ),
    "exists": Problem(
        "The name is taken",
        "Names are compared without case, because databases and file systems may be.",
        "Nothing was changed.",
        "Choose another name, or open what exists.",
    ),
    "confirm": Problem(
        "The name was not typed",
        "Deleting a tenant or a home cannot be undone, so its name is asked for.",
        "Nothing was deleted.",
        "Type the name exactly.",
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
    "answer-too-large": Problem(
        "The answer is too large to draw",
        "A panel's query has more than 25,000 rows, or more than 16 million characters of text.",
        "The panel says so instead of showing a part as if it were all. Other panels are drawn.",
        "Choose a shorter time range or fewer values, or write an aggregated table.",
    ),
    "later": Problem(
        "It cannot be done right now",
        "Something it needs is away or busy.",
        "Work that was accepted is tried again by itself.",
        "Wait for the seconds in `Retry-After`.",
    ),
    "stuck": Problem(
        "It needs a human",
        "An outside system refused for good: a right was taken away, a token is wrong.",
        "It is not tried again by itself. The rest runs on.",
        "Do what the hint says, then press Try again.",
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
