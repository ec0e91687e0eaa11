"""Which template fits a table, and why. Pure and total: any names, types and values give an answer.

Columns decide, names help: a template needs its required columns in a type that they are, or can be cast to, for
most of the sampled values. What is not here: the sample itself (`postgres.py`), the panels (`bind.py`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from belvedere.dashboards.template import ColumnRule, Repeat, TableSet, Template, catalogue
from belvedere.workspaces.model import Read, Stored
from belvedere.workspaces.reading import stored_as

CASTABLE: Final = 0.8
"""Share of sampled texts that must have the shape of a number or a time for the column to be read as one."""

_WEAK: Final = 0.6
_UNSEEN: Final = 0.5
_SUFFIX: Final = re.compile(r"_csv$", re.IGNORECASE)
_FEW: Final = 2
_MANY: Final = 50
_KEYS: Final = re.compile(r"(^|_)(id|oid|uid|uuid|key|pk|rowid|index|idx)$")


@dataclass(frozen=True, slots=True)
class Shape:
    """A relation as its catalogue describes it: names and types, no values."""

    database: str
    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    kind: str = "table"
    store_kind: str = ""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a sample shows of a column: filled values, different ones, and how many have a shape."""

    filled: int = 0
    distinct: int = 0
    numbers: int = 0
    times: int = 0
    matches: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A bounded look at the rows. `rows_estimate` is the server's own guess of all of them, or None."""

    rows: int = 0
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)
    rows_estimate: int | None = None
    whole: bool = True


class MatchedColumn(Struct, frozen=True):
    """One column of the table and what it was read as. `role` is empty when the template did not ask for it."""

    column: str
    type: str
    distinct: int | None
    role: str
    because: str
    score: float
    stored: Stored = "other"
    read: Read = "text"


class Candidate(Struct, frozen=True):
    """One template's claim to a table."""

    template: str
    family: str
    score: float
    needed: float
    fits: bool
    missing: list[str]
    reasons: list[str]
    columns: list[MatchedColumn]
    subject: str


class Classification(Struct, frozen=True):
    """The template chosen and all claims, best first. A guess is the fallback, taken since nothing else fits."""

    chosen: Candidate
    candidates: list[Candidate]
    guess: bool
    rows_looked_at: int
    whole: bool

    @property
    def runner_up(self) -> Candidate | None:
        """The best claim but the chosen one."""
        return next((c for c in self.candidates if c.template != self.chosen.template), None)


class SetState(Struct, frozen=True):
    """A set of tables: which members stand and which are missing. A lone half is a normal state."""

    key: str
    members: dict[str, str]
    missing: list[str]


def asked_values(shape: Shape, templates: Sequence[Template] | None = None) -> list[tuple[str, str]]:
    """Tell which columns' values some template wants to see matched: pairs of column and pattern."""
    asked = []
    for template in templates if templates is not None else catalogue():
        for rule in template.columns:
            if rule.values:
                asked += [(c, rule.values.matches) for c, _ in shape.columns if _name_factor(rule, c) > 0]
    return asked


def classify(
    shape: Shape, profile: Profile, templates: Sequence[Template] | None = None, *, override: str | None = None
) -> Classification:
    """Choose a template. An override wins whatever it scores, if it exists and its required columns are there."""
    known = templates if templates is not None else catalogue()
    claims = [_claim(template, shape, profile) for template in known]
    ranked = sorted(claims, key=lambda claim: (claim.fits, claim.score), reverse=True)
    fallbacks = {template.template for template in known if template.fallback}
    chosen = next((claim for claim in claims if claim.template == override and claim.fits), None) or ranked[0]
    return Classification(
        chosen=chosen, candidates=ranked, guess=chosen.template in fallbacks, rows_looked_at=profile.rows,
        whole=profile.whole)


def find_sets(names: Iterable[str], table_set: TableSet) -> list[SetState]:
    """Group table names into sets by what their patterns capture under the set's key."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        for member in table_set.members:
            match = re.search(member.pattern, _SUFFIX.sub("", name), re.IGNORECASE)
            if match:
                found.setdefault(match.groupdict().get(table_set.key) or "", {}).setdefault(member.name, name)
    return [
        SetState(key, members, [m.name for m in table_set.members if m.name not in members])
        for key, members in sorted(found.items())
    ]


def subject_of(name: str) -> str:
    """Return the table's name as people say it: without the mark of a CSV import."""
    return _SUFFIX.sub("", name) or name


def _claim(template: Template, shape: Shape, profile: Profile) -> Candidate:
    taken: dict[str, MatchedColumn] = {}
    refused: list[str] = []
    for rule in template.columns:
        match, reason = _match(rule, shape, profile, taken)
        if match:
            taken[match.column] = match
        elif reason:
            refused.append(reason)
    if template.repeats:
        matched = _repeat(template.repeats, shape, profile)
    else:
        matched = [taken.get(c) or _unasked(c, t, profile) for c, t in shape.columns]
    roles = {match.role for match in taken.values()} | {
        f"{r.role}.values" for r in template.columns if r.values and _shown(r, taken, profile)}
    missing = _missing(template, roles)
    score = sum(match.score for match in taken.values())
    helped, subject = _names(template, shape)
    score += sum(weight for weight, _ in helped) + (0.1 if template.fallback else 0)
    reasons = refused + [because for _, because in helped]
    if missing:
        score = min(score * 0.5, max(template.needed - 0.01, 0))
    score = round(min(score, 1.0), 2)
    return Candidate(
        template=template.template, family=template.family, score=score, needed=template.needed,
        fits=not missing and score >= template.needed, missing=missing,
        reasons=_sentences(template, taken, missing) + reasons, columns=matched, subject=subject)


def _match(
    rule: ColumnRule, shape: Shape, profile: Profile, taken: Mapping[str, MatchedColumn]
) -> tuple[MatchedColumn | None, str]:
    """Find the best free column for a role, or say why the one with the right name is not it."""
    reason = ""
    named = sorted(
        ((_name_factor(rule, column), -place, column, kind) for place, (column, kind) in enumerate(shape.columns)
         if column not in taken), reverse=True)
    for factor, _, column, kind in named:
        if factor <= 0:
            break
        stored = stored_as(kind)
        readable, note = _readable(rule.read, stored, profile.columns.get(column, ColumnProfile()))
        if readable <= 0:
            reason = reason or f"`{column}` is {kind} and cannot be read as {_READ[rule.read]}"
            continue
        extra, because = _value_score(rule, profile.columns.get(column))
        weight = rule.weight * (_WEAK if factor < 1 else 1) * readable + extra
        return MatchedColumn(
            column=column, type=kind, distinct=_distinct(profile, column), role=rule.role,
            because="; ".join(filter(None, [rule.because, note, because])), score=round(weight, 3),
            stored=stored, read=rule.read), ""
    return None, reason


def _name_factor(rule: ColumnRule, column: str) -> float:
    """Score a column's name: above 1 for a full match (earlier aliases first), below 1 for a weak one, else 0."""
    name = normal(column)
    if name in rule.names:
        return 2 - rule.names.index(name) / 100
    if any(re.search(pattern, name) for pattern in rule.patterns):
        return 1
    return 0.6 if name in rule.weak else 0


def normal(name: str) -> str:
    """Write a name in lower case, every run of other signs as one underscore."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


_READ: Final[dict[str, str]] = {"number": "a number", "time": "a time", "text": "text"}


def _readable(read: Read, stored: Stored, seen: ColumnProfile) -> tuple[float, str]:
    """Tell how well a column can be read as asked, from 0 to 1, with a note where text is cast."""
    if read == "text":
        return 1.0, ""
    if (read == "number" and stored == "number") or (read == "time" and stored in ("timestamptz", "timestamp", "date")):
        return 1.0, ""
    if stored not in ("text", "other"):
        return 0.0, ""
    if seen.filled == 0:
        return (_UNSEEN, "text, no value seen yet") if stored == "text" else (0.0, "")
    fitting = seen.numbers if read == "number" else seen.times
    if fitting / seen.filled < CASTABLE:
        return 0.0, ""
    return 1.0, f"text, {fitting:,} of {seen.filled:,} values looked at are {read}s"


def _value_score(rule: ColumnRule, seen: ColumnProfile | None) -> tuple[float, str]:
    if rule.values is None or seen is None or seen.filled == 0:
        return 0.0, ""
    fitting = seen.matches.get(rule.values.matches, 0)
    if fitting / seen.filled < rule.values.share:
        return 0.0, ""
    return rule.values.weight, f"{fitting:,} of {seen.filled:,} {rule.values.because}"


def _shown(rule: ColumnRule, taken: Mapping[str, MatchedColumn], profile: Profile) -> bool:
    column = next((match.column for match in taken.values() if match.role == rule.role), "")
    return _value_score(rule, profile.columns.get(column))[0] > 0


def _missing(template: Template, roles: set[str]) -> list[str]:
    missing = [rule.role for rule in template.columns if rule.required and rule.role not in roles]
    if template.any_of and not any(set(group) <= roles for group in template.any_of):
        missing.append(" or ".join(" and ".join(group) for group in template.any_of))
    return missing


def _names(template: Template, shape: Shape) -> tuple[list[tuple[float, str]], str]:
    helped, subject = [], subject_of(shape.name)
    for rule in template.names:
        match = re.search(rule.pattern, subject_of(shape.name), re.IGNORECASE)
        if match:
            helped.append((rule.weight, rule.because))
            subject = match.groupdict().get("subject") or subject
            break
    if shape.store_kind in template.kinds:
        helped.append((template.kinds[shape.store_kind], f"it stands in the {shape.store_kind} database"))
    return helped, subject


def _sentences(template: Template, taken: Mapping[str, MatchedColumn], missing: Sequence[str]) -> list[str]:
    if template.fallback:
        return ["always possible"]
    found = [match.column for match in taken.values()]
    sentences = [f"has {', '.join(found)}"] if found else ["no column matches"]
    return sentences + [f"{what.replace('_', ' ')} is missing" for what in missing]


def _unasked(column: str, kind: str, profile: Profile) -> MatchedColumn:
    return MatchedColumn(
        column=column, type=kind, distinct=_distinct(profile, column), role="", because="not asked for", score=0.0,
        stored=stored_as(kind))


def _distinct(profile: Profile, column: str) -> int | None:
    seen = profile.columns.get(column)
    return seen.distinct if seen else None


def natural(kind: str, seen: ColumnProfile) -> Read:
    """Tell what a column is read as when nobody asks for anything else."""
    stored = stored_as(kind)
    for read in ("number", "time"):
        if _readable(read, stored, seen)[0] == 1.0:
            return read
    return "text"


def _repeat(repeats: Sequence[Repeat], shape: Shape, profile: Profile) -> list[MatchedColumn]:
    """Give counted roles to columns as they come; a column may have several."""
    matched = []
    for repeat in repeats:
        count = 0
        for column, kind in shape.columns:
            seen = profile.columns.get(column, ColumnProfile())
            read = natural(kind, seen)
            if count >= repeat.most or not _suits(repeat, column, read, seen):
                continue
            count += 1
            role = repeat.role if repeat.most == 1 else f"{repeat.role}{count}"
            matched.append(MatchedColumn(
                column=column, type=kind, distinct=_distinct(profile, column), role=role,
                because=f"{_READ[read]}, shown as it is", score=0.0, stored=stored_as(kind), read=read))
    return matched


def _suits(repeat: Repeat, column: str, read: Read, seen: ColumnProfile) -> bool:
    if repeat.read == "any":
        return True
    if repeat.read != read:
        return False
    if read == "number":
        return not _KEYS.search(normal(column))
    # A text with a value per row, or the same in every row, divides nothing.
    return read != "text" or _FEW <= seen.distinct <= max(_MANY, seen.filled // 20)
