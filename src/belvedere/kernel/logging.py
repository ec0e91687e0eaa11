"""Logging for every process: structured lines, human at a terminal and JSON elsewhere, never a secret.

A line carries its time, the level word (ERROR can be searched for), the part that wrote it, and the request id and job
id that are bound around it. Lines of libraries that use `logging` come out the same way. What is not here: the
history of deeds (`audit/`), which is kept and proven; a log may be thrown away.
"""

import fcntl
import logging
import os
import sys
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from belvedere.kernel.clock import iso, utc_now
from belvedere.kernel.redact import Redactor
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings

LARGEST_BYTES: Final = 20_000_000
"""Size at which the log file is put aside."""

KEPT_FILES: Final = 5
"""How many files that were put aside are kept."""

_QUIET: Final = ("asyncio", "httpcore2", "httpx2", "PIL", "procrastinate", "psycopg.pool", "urllib3", "_granian")
_FIRST: Final = ("at", "level", "part", "event")


def logger(name: str) -> Any:  # noqa: ANN401  (structlog's own lazy proxy)
    """Give a module its logger, named after it; `log.info("what happened", key=value)` writes a line."""
    return structlog.stdlib.get_logger(name)


def bound(**names: object) -> AbstractContextManager[None]:
    """Put `request_id` or `job_id` on every line that is written inside the block, by whichever room."""
    return structlog.contextvars.bound_contextvars(**names)


def configure(settings: Settings, *, part: str, screen: bool = True) -> None:
    """Set up logging for this process; calling it again replaces what was set up.

    Args:
        settings: `debug`, `log_file`, `log_format`, and the secrets whose values are masked.
        part: the name of this process in each line: `web`, `jobs`, `cli`, `supervisor`.
        screen: whether lines go to stderr as well as to the file.
    """
    redactor = Redactor(_secrets(settings))
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _stamp(part),
        structlog.processors.format_exc_info,
        _redact(redactor),
    ]
    handlers: list[logging.Handler] = []
    if screen:
        on_screen = logging.StreamHandler(sys.stderr)
        human = settings.log_format == "human" or (settings.log_format == "auto" and sys.stderr.isatty())
        on_screen.setFormatter(_formatter(shared, human=human))
        handlers.append(on_screen)
    if settings.log_file:
        in_file = SharedFileHandler(settings.path(settings.log_file))
        in_file.setFormatter(_formatter(shared, human=settings.log_format == "human"))
        handlers.append(in_file)
    _install(handlers or [logging.NullHandler()], debug=settings.debug)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.add_logger_name,
                    structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _install(handlers: list[logging.Handler], *, debug: bool) -> None:
    root = logging.getLogger()
    for old in list(root.handlers):
        if getattr(old, "belvedere", False):
            root.removeHandler(old)
            old.close()
    for new in handlers:
        new.belvedere = True  # type: ignore[attr-defined]
        root.addHandler(new)
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.INFO if debug else logging.WARNING)
    logging.captureWarnings(capture=True)


def _secrets(settings: Settings) -> list[Secret]:
    return [value for one in fields(settings) if isinstance(value := getattr(settings, one.name), Secret) and value]


def _stamp(part: str) -> Processor:
    def stamp(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        record = event.get("_record")
        level = record.levelname if record is not None else method.upper()
        event["at"] = iso(utc_now())
        event["level"] = {"WARN": "WARNING", "EXCEPTION": "ERROR"}.get(level, level)
        event["part"] = part
        return event

    return stamp


def _redact(redactor: Redactor) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        internal = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
        clean: dict[str, object] = {}
        for key, value in event.items():
            if key not in internal:
                clean[redactor.text(key)] = redactor.value(key, value)
        return clean | internal

    return redact


def _formatter(shared: list[Processor], *, human: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        # A line from structlog has not been stamped yet, and neither has one from a library: both are here, once.
        processors=[*shared, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _human if human else _json],
        keep_exc_info=False,
        keep_stack_info=False,
        use_get_message=True,
        logger=logging.getLogger(),
    )


def _json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    ordered = {key: event[key] for key in _FIRST if key in event} | {
        key: value for key, value in event.items() if key not in _FIRST
    }
    return msgspec.json.encode(ordered, enc_hook=str).decode()


def _human(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    trace = event.pop("exception", None)
    head = f"{event.pop('at')} {event.pop('level'):<7} {event.pop('part'):<10} {event.pop('event', '')}"
    name = event.pop("logger", None)
    rest = "".join(f"  {key}={value}" for key, value in event.items())
    where = f"  ({name})" if name else ""
    return f"{head}{rest}{where}" + (f"\n{trace}" if trace else "")


class SharedFileHandler(logging.Handler):
    """Appends lines to a file that several processes share, and puts it aside when it is full.

    Each line is one `write` on a descriptor opened for appending, so that lines never mix. Whoever finds the file full
    takes a lock, looks again and renames; the others notice that the name leads elsewhere and open it anew.
    A full disk loses lines, not the process.
    """

    def __init__(self, path: Path, *, largest_bytes: int = LARGEST_BYTES, kept: int = KEPT_FILES) -> None:
        """Log to `path`; its folder is made when missing."""
        super().__init__()
        self._path = path
        self._largest = largest_bytes
        self._kept = kept
        self._descriptor: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            os.write(self._current(), line)
        except OSError:
            self._forget()
        except Exception:  # noqa: BLE001  (logging must not end what it describes)
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        self._forget()
        super().close()

    def _current(self) -> int:
        if self._descriptor is not None:
            ours = os.fstat(self._descriptor)
            try:
                named = self._path.stat()
            except FileNotFoundError:
                named = None
            if named is not None and named.st_ino == ours.st_ino and ours.st_size < self._largest:
                return self._descriptor
            self._forget()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._put_aside()
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._descriptor

    def _put_aside(self) -> None:
        if not self._path.exists() or self._path.stat().st_size < self._largest:
            return
        with self._path.with_name(self._path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._path.exists() or self._path.stat().st_size < self._largest:
                return
            for number in range(self._kept - 1, 0, -1):
                older = self._path.with_name(f"{self._path.name}.{number}")
                if older.exists():
                    older.replace(self._path.with_name(f"{self._path.name}.{number + 1}"))
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))

    def _forget(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
