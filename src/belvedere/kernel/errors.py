"""The errors that decide what happens next. Vendor errors are translated into these by adapters.

    BelvedereError
    ├── Rejected            the caller is wrong: tell them what to change        (HTTP 4xx, exit 2)
    │   ├── NotFound        404, also for things that the caller may not see
    │   ├── Unauthenticated 401
    │   ├── Forbidden       403, the caller may see the thing but not do this
    │   ├── Conflict        409, it exists or changed meanwhile
    │   └── TooMany         429, slow down; carries retry_in_s
    ├── Later               try again after retry_in_s, without a human          (HTTP 503, exit 75)
    └── Stuck               a human must act; nothing is retried by itself       (HTTP 502, exit 1)

A class's docstring is its default message, so every class says what to do. What is not here:
rendering (RFC 9457 problem details stand in `api/problems.py`, three-line errors in the CLI).
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class BelvedereError(Exception):
    """Something went wrong. The request id leads to the log lines about it."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        hint: str | None = None,
        code: str | None = None,
        field: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what happened.

        Args:
            detail: one sentence for people, without secrets; the class's docstring if absent.
            hint: the next step, as a sentence or a command to copy.
            code: the problem type, a slug under `/problems/`; the class's own if absent.
            field: the form field or JSON member that is wrong, if one is.
            extra: members to add to the problem details, JSON values only.
        """
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.hint = hint
        self.problem = code or type(self).code
        self.field = field
        self.extra = dict(extra or {})
        super().__init__(self.detail)


class Rejected(BelvedereError):
    """The request cannot be carried out as it stands. Change it and send it again."""

    status = 400
    exit_code = 2
    code = "rejected"


class NotFound(Rejected):
    """There is no such thing here, or it is not yours to see. Check the name."""

    status = 404
    code = "not-found"


class Unauthenticated(Rejected):
    """Nobody is signed in. Sign in, or send an API token in the Authorization header."""

    status = 401
    code = "unauthenticated"


class Forbidden(Rejected):
    """Your role does not allow this. Ask somebody whose role does."""

    status = 403
    code = "forbidden"


class Conflict(Rejected):
    """It exists already, or changed meanwhile. Read it again and decide."""

    status = 409
    code = "conflict"


class TooMany(Rejected):
    """Too many requests. Wait, then try again."""

    status = 429
    code = "too-many"

    def __init__(self, detail: str | None = None, *, retry_in_s: float = 1.0, hint: str | None = None) -> None:
        """Say how many seconds to wait before the next try."""
        super().__init__(detail, hint=hint, extra={"retry_in_s": retry_in_s})
        self.retry_in_s = retry_in_s


class Later(BelvedereError):
    """It cannot be done right now. It is tried again by itself."""

    status = 503
    exit_code = 75
    code = "later"

    def __init__(
        self, detail: str | None = None, *, retry_in_s: float = 5.0, hint: str | None = None, code: str | None = None
    ) -> None:
        """Say when the next try is due, in seconds from now."""
        super().__init__(detail, hint=hint, code=code, extra={"retry_in_s": retry_in_s})
        self.retry_in_s = retry_in_s


class Stuck(BelvedereError):
    """It needs a human. Nothing is retried until somebody acts."""

    status = 502
    code = "stuck"
