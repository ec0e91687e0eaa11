"""Every type of problem that the code can raise has its page, and no page is about a type that nothing raises."""

import ast
from collections.abc import Iterator

from source import modules, walk

from belvedere.web.problem_texts import PROBLEMS, SUBJECTS

ROOM_FOR_A_SENTENCE = 240


def kinds() -> dict[str, ast.ClassDef]:
    """Return the classes of errors, by name: `BelvedereError` and what descends from it."""
    classes = [node for tree in modules().values() for node in walk(tree) if isinstance(node, ast.ClassDef)]
    found: dict[str, ast.ClassDef] = {}
    more = True
    while more:
        more = False
        for one in classes:
            bases = {base.id for base in one.bases if isinstance(base, ast.Name)}
            if one.name not in found and (one.name == "BelvedereError" or bases & set(found)):
                found[one.name] = one
                more = True
    return found


def of_classes() -> Iterator[str]:
    """Yield the codes that classes of errors carry."""
    for kind in kinds().values():
        for line in kind.body:
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            if any(isinstance(one, ast.Name) and one.id == "code" for one in targets):
                yield from literals(getattr(line, "value", None))


def given() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Yield what is given as `code=` anywhere, with the call and where it stands."""
    for path, tree in modules().items():
        for node in walk(tree):
            if isinstance(node, ast.Call):
                yield from ((f"{path}:{node.lineno}", node, one.value) for one in node.keywords if one.arg == "code")


def literals(value: ast.expr | None) -> Iterator[str]:
    """Yield the words that an expression may be: itself, or both sides of a choice."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    if isinstance(value, ast.IfExp):
        yield from literals(value.body)
        yield from literals(value.orelse)


def passes_on(value: ast.expr) -> bool:
    """Tell whether an expression hands on a code that stands elsewhere, such as `error.problem` or `Gone.code`."""
    return (isinstance(value, ast.Attribute) and value.attr in {"code", "problem"}) or (
        isinstance(value, ast.Name) and value.id == "code"
    )


def codes() -> set[str]:
    return {*of_classes(), *(code for _, _, value in given() for code in literals(value))}


def test_the_codes_are_found():
    assert {"error", "rejected", "rate-limited", "history-unflushed", "slack-token", "unknown-job"} <= codes()


def test_every_code_is_written_out():
    """A code that is put together can be anything, so nobody could write its page."""
    assert [where for where, _, value in given() if not passes_on(value) and not list(literals(value))] == []


def test_an_error_gets_its_code_by_keyword():
    """By position it would go unseen here."""
    names = set(kinds())
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        if len(node.args) > 1
    ]
    assert wrong == []


def test_every_code_has_a_text_and_every_text_a_code():
    assert codes() - set(PROBLEMS) == set(), "write what they mean in web/problem_texts/"
    assert set(PROBLEMS) - codes() == set(), "nothing raises these: delete their texts"


def test_a_code_stands_under_one_subject():
    assert sum(map(len, SUBJECTS.values())) == len(PROBLEMS)


def test_a_text_says_all_four_things_in_few_sentences():
    for code, one in PROBLEMS.items():
        assert one.title, code
        assert not one.title.endswith("."), code
        for sentence in (one.cause, one.affects, one.fix):
            assert sentence.endswith("."), code
            assert len(sentence) <= ROOM_FOR_A_SENTENCE, code
    titles = [one.title for one in PROBLEMS.values()]
    assert len(set(titles)) == len(titles), "two codes of one title are one code"
