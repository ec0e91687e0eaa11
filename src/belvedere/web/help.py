"""Help: shortcuts, words, and a page for each type of problem that an answer may name."""

from dataclasses import dataclass
from typing import Final

from flask import Blueprint, Response, make_response

from belvedere.web import context
from belvedere.web.problem_texts import PROBLEMS, SUBJECTS, Problem

blueprint = Blueprint("help", __name__)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as this product uses it."""

    word: str
    means: str


WORDS: Final = (
    Word("tenant", "Who owns data: a team, a customer, an engineer."),
    Word("store", "Where a tenant's data lives: a PostgreSQL database."),
    Word("workspace", "Where a tenant looks: the built-in viewer, or a Grafana."),
    Word("template", "How data of a known shape should look; a file in the catalogue."),
    Word("dashboard", "One template bound to one table."),
    Word("preview", "The animated picture of a dashboard."),
    Word("delivery", "One message about a dashboard to one channel, sent or waiting."),
    Word("credential", "One named secret of a tenant, such as DB_PASS."),
    Word("operator", "A person who runs this installation: admin, operator or viewer."),
    Word("runner", "What works off the queue: `belvedere jobs`."),
    Word("action", "One line of the history: who did what to what, from where, with what result."),
)
"""The words of the product, in the order in which one meets them."""


@blueprint.get("/help")
def help_page() -> Response:
    """Show shortcuts and words."""
    return context.page("help.html", words=WORDS, subjects=SUBJECTS)


@blueprint.get("/problems/<code>")
def problem(code: str) -> Response:
    """Explain a type of problem: cause, what it affects, how to fix it. For everybody: API clients follow the link."""
    found = PROBLEMS.get(code)
    known = found or Problem(
        code.replace("-", " ").capitalize(), "The answer itself says what happened.", "", "Read its detail and hint."
    )
    response = make_response(context.page("problem.html", 200 if found else 404, code=code, problem=known))
    response.headers["Cache-Control"] = "private, no-cache"
    return response
