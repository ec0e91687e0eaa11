"""Write docs/reference from the tables in the code: settings, commands, routes, jobs, errors.

    python docs/generate.py           writes the pages
    python docs/generate.py --check   ends with 1 when a committed page differs from what the code says

A test runs the check, so the reference cannot grow old.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import msgspec

import belvedere
from belvedere.api.model import Route
from belvedere.api.routes import ROUTES
from belvedere.cli.main import NOUNS
from belvedere.jobs.model import Job
from belvedere.kernel import errors
from belvedere.kernel.settings import Settings, described
from belvedere.reactions import REACTIONS
from belvedere.web.problem_texts import PROBLEMS

FOLDER = Path(__file__).parent / "reference"
NOTE = "<!-- Made by docs/generate.py from the code. Change the code, then run `make docs`. -->"

ABOUT_SETTINGS = """# Settings

Values come from the environment, then from a `.env` file in the current folder, then from the default. An empty
value counts as absent. `belvedere settings` shows what is in force and where it came from.
"""

ABOUT_COMMANDS = """# Commands

`belvedere NOUN VERB`; the plural of a noun lists (`belvedere tenants`). Every command takes `--json`, `--jsonl` and
`--color`. The answer is on stdout, progress and errors on stderr.

Exit codes: 0 done, 1 a human must act, 2 the caller must change something, 3 there is something to do
(`--detailed-exitcode`), 75 try again later, 130 interrupted.
"""

ABOUT_ROUTES = """# REST API

Base address `/api/v1`; the machine-readable description is `/api/v1/openapi.json`.

- **Who calls**: `Authorization: Bearer TOKEN` (or `ApiKey`), `X-Api-Key: TOKEN`, or a signed-in browser with
  `X-CSRF-Token`. A token comes from `belvedere token create`; a tenant's own API key works too and sees that tenant
  alone. What is another tenant's answers 404.
- **Errors** are problem details (RFC 9457): `type` leads to a page that says what to do, `field` names what is
  wrong, `request_id` leads to the log; `error` repeats the sentence.
- **Lists** are arrays. `limit` and `after` page; the `Link` header has the next page, `X-Total-Count` the number of
  all.
- **`Idempotency-Key`** on anything that changes something: the same request with the same key within 24 hours is
  carried out once and answered alike (`Idempotency-Replayed: true`), secrets shown once included; kept answers are
  sealed. Another request with that key: 422; the first one still at work: 409. Refused and failed requests are not
  kept.
- **`Prefer: wait=N`** where named below: the answer comes when the work is done, at most N (60) seconds later; the
  state in the body tells which.
- **No CORS**: pages of other origins cannot call.

Differences from the credential manager of today: every route asks who calls, values of credentials are always masked
(`/reveal` shows one, with a reason), `api_key_plain` is gone.
"""

ABOUT_JOBS = """# Jobs

What runners (`belvedere jobs`) work off. A job carries a key and reads everything else when it runs; at most one of a
name and key runs at a time; twice does no harm. How that is kept: `docs/explanation/jobs.md`.
"""

ABOUT_TRIES = """"Tries" bounds unforeseen errors in a row (1, 2, 4... s apart, at most 300). *Later* is tried again
without bound, when it says; *Stuck* and *Rejected* end a job at once with their sentence.

## Events
"""

ABOUT_ERRORS = """# Errors

Three kinds decide what happens next: *Rejected* (the caller must change something), *Later* (it is tried again by
itself) and *Stuck* (a human must act).
"""


def pages() -> dict[str, str]:
    """Return the text of each page by file name."""
    made = {
        "settings.md": settings(), "cli.md": commands(), "api.md": routes(), "jobs.md": jobs(), "errors.md": problems(),
    }
    return {name: f"{NOTE}\n{text.rstrip()}\n" for name, text in made.items()}


def row(*cells: object) -> str:
    """Write one line of a table."""
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"


def table(headers: tuple[str, ...], lines: Iterator[str] | list[str]) -> list[str]:
    """Write a table."""
    return [row(*headers), "|" + "---|" * len(headers), *lines, ""]


def settings() -> str:
    """Describe every setting."""
    out = [ABOUT_SETTINGS]
    rows = described()
    for section in dict.fromkeys(one.section for one in rows):
        out += [f"## {section}", ""]
        out += table(
            ("name", "also", "kind", "default", "what"),
            [
                row(f"`{one.name}`", " ".join(f"`{alias}`" for alias in one.aliases), one.type,
                    f"`{one.default}`" if one.default else "", one.help)
                for one in rows if one.section == section
            ],
        )
    return "\n".join(out)


def commands() -> str:
    """Describe every command by its own help."""
    out = [
        ABOUT_COMMANDS,
        *table(("noun", "what"), [row(f"`{name}`", noun.help) for name, noun in NOUNS.items()]),
    ]
    for name, noun in NOUNS.items():
        module, _, attribute = noun.target.partition(":")
        try:
            out += _helps(getattr(importlib.import_module(module), attribute), f"belvedere {name}")
        except (ModuleNotFoundError, AttributeError):
            # A noun in the table without its file is a rules test's finding, not this page's.
            continue
    return "\n".join(out)


def _helps(command: click.Command, path: str) -> list[str]:
    context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
    if isinstance(command, click.Group):
        out = _help(command, context, path) if command.invoke_without_command else []
        for name in sorted(command.commands):
            out += _helps(command.commands[name], f"{path} {name}")
        return out
    return _help(command, context, path)


def _help(command: click.Command, context: click.Context, path: str) -> list[str]:
    shared = {"--json", "--jsonl", "--color", "--help"}
    options = [one for one in command.params if isinstance(one, click.Option) and not shared & set(one.opts)]
    arguments = " ".join(one.make_metavar(context) for one in command.params if isinstance(one, click.Argument))
    out = [f"## `{f'{path} {arguments}'.rstrip()}`", "", " ".join(inspect.cleandoc(command.help or "").split()), ""]
    if command.epilog:
        out += [f"`{command.epilog.removeprefix('Example: ')}`", ""]
    records = [record for one in options if (record := one.get_help_record(context))]
    if records:
        out += table(("option", "what"), [row(f"`{name}`", text) for name, text in records])
    return out


def routes() -> str:
    """Describe every route."""
    out = [ABOUT_ROUTES]
    for tag in dict.fromkeys(route.tag for route in ROUTES):
        out += [f"## {tag}", ""]
        for route in [one for one in ROUTES if one.tag == tag]:
            out += _route(route)
    return "\n".join(out)


def _route(route: Route) -> list[str]:
    out = [f"### `{route.method} /api/v1{route.path}`", "", " ".join((route.handler.__doc__ or "").split()), ""]
    facts = []
    if route.open:
        facts.append(f"Asks nobody who they are: {route.open}.")
    query = _members(route.query)
    if query:
        facts.append(f"Query: {query}.")
    if route.body is not None:
        facts.append(f"Body: {'bytes' if route.body is bytes else _members(route.body)}.")
    facts.append(f"Answer {route.status}: {_shape(route.answer)}.")
    if route.refusals:
        facts.append(f"Refusals: {', '.join(map(str, route.refusals))}.")
    if route.secret:
        facts.append("Holds a secret: the only time that it is shown.")
    if route.waits:
        facts.append("Takes `Prefer: wait=N`.")
    return out + [f"- {fact}" for fact in facts] + [""]


def _members(kind: type[msgspec.Struct]) -> str:
    found = []
    for member in msgspec.structs.fields(kind):
        optional = "" if member.required else "?"
        found.append(f"`{member.encode_name}{optional}`")
    return ", ".join(found)


def _shape(kind: Any) -> str:  # noqa: ANN401  (the type of an answer)
    if kind is None:
        return "nothing"
    if kind is bytes:
        return "the file, with an `ETag`"
    inner = get_args(kind)
    if inner and isinstance(inner[0], type) and issubclass(inner[0], msgspec.Struct):
        return f"an array of {{{_members(inner[0])}}}"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"{{{_members(kind)}}}"
    return "an object"


class _Anything:
    """Stands for a service where only the names of its jobs are asked for."""

    def __getattr__(self, name: str) -> "_Anything":
        return self

    def __call__(self, *_: object) -> "_Anything":
        return self


def shipped_jobs() -> list[Job]:
    """Return the jobs of all rooms, without their services."""
    found: list[Job] = []
    for path in sorted(Path(belvedere.__path__[0]).rglob("jobs.py")):
        room = path.parent.relative_to(belvedere.__path__[0])
        if room.parts[0] in {"api", "cli", "web"}:
            continue
        make = getattr(importlib.import_module(".".join(("belvedere", *room.parts, "jobs"))), "jobs", None)
        if callable(make):
            given = inspect.signature(make).parameters.values()
            # What is told by keyword is a setting of the room; it stands here as it is unless somebody sets it.
            named = {
                one.name: getattr(Settings(), f"{room.name}_{one.name}")
                for one in given if one.kind is inspect.Parameter.KEYWORD_ONLY
            }
            found += make(*[_Anything() for _ in range(len(given) - len(named))], **named)
    return sorted(found, key=lambda job: job.name)


def jobs() -> str:
    """Describe every job and what wakes it."""
    out = [
        ABOUT_JOBS,
        *table(
            ("job", "what", "by timer", "tries", "woken by"),
            [
                row(f"`{job.name}`", job.help, f"every {job.every_s:g} s" if job.every_s else "", job.most_attempts,
                    " ".join(f"`{event}`" for event, woken in REACTIONS.items() if job.name in woken))
                for job in shipped_jobs()
            ],
        ),
        ABOUT_TRIES,
        *table(
            ("event", "wakes"),
            [row(f"`{event}`", " ".join(f"`{job}`" for job in woken)) for event, woken in REACTIONS.items()],
        ),
    ]
    return "\n".join(out)


def problems() -> str:
    """Describe the kinds of errors and the problem types."""
    kinds = [
        kind for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BelvedereError) and kind is not errors.BelvedereError
    ]
    out = [
        ABOUT_ERRORS,
        *table(
            ("error", "HTTP", "exit", "type", "what to do"),
            [
                row(f"`{kind.__name__}`", kind.status, kind.exit_code, f"`{kind.code}`", kind.__doc__ or "")
                for kind in kinds
            ],
        ),
        "## Problem types", "",
        "The `type` of a problem document leads to `/problems/<type>` of the portal, which says the same.", "",
    ]
    for code, problem in sorted(PROBLEMS.items()):
        out += [f"### `{code}`", "", f"**{problem.title}.** {problem.cause} {problem.affects} {problem.fix}", ""]
    return "\n".join(out)


def main() -> int:
    """Write the pages, or compare them."""
    made = pages()
    differing = [
        name for name, text in made.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv[1:]:
        for name in differing:
            sys.stderr.write(f"docs/reference/{name} is not what the code says. Run `make docs`.\n")
        return 1 if differing else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
