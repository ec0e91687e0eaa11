"""The OpenAPI document describes every route, and what the routes answer fits it."""

import re

from flask import Flask

from belvedere.api.openapi import document
from belvedere.api.routes import ROUTES


def test_every_rule_of_the_blueprint_is_described_and_nothing_else(flask: Flask) -> None:
    ruled = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in flask.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.otherwise"
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, below in document()["paths"].items() for method in below}
    assert described == ruled
    assert len(described) == len(ROUTES)


def test_every_reference_leads_somewhere() -> None:
    text = repr(document())
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert names
    assert names <= set(document()["components"]["schemas"])


def test_operations_have_names_of_their_own_and_say_what_they_do() -> None:
    operations = [one for below in document()["paths"].values() for one in below.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    assert all(one["summary"] and one["description"] for one in operations)
    assert all("401" in one["responses"] or one.get("security") == [] for one in operations)


def test_the_description_and_the_index_can_be_read_without_a_key(anyone) -> None:
    assert anyone("GET", "/openapi.json").json["openapi"] == "3.1.0"
    assert {"method": "GET", "path": "/api/v1/users", "summary": "List tenants"} in anyone("GET", "/").json["routes"]
    assert anyone("GET", "/health").json == {"status": "healthy"}
    assert anyone("GET", "").status_code in {200, 308}
