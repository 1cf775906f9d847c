"""The OpenAPI document is what the code does."""

import re

import pytest

from surveil.console.openapi import document
from surveil.console.routes import API, TABLE

MADE = document(TABLE)


def test_the_document_has_every_route_with_its_role_and_nothing_else():
    told = {
        (method.upper(), path, one["x-role"])
        for path, methods in MADE["paths"].items()
        for method, one in methods.items()
    }
    assert told == {(one.method, API + one.path, one.role) for one in TABLE}


def test_every_reference_leads_somewhere_and_every_route_says_what_it_does():
    names = set(re.findall(r"'#/components/schemas/([^']+)'", str(MADE)))
    assert names <= set(MADE["components"]["schemas"])
    for methods in MADE["paths"].values():
        for one in methods.values():
            assert one["summary"].endswith(".")


@pytest.mark.parametrize(
    "path", ["/me", "/cameras", "/events", "/arming", "/books", "/dead-letters", "/audit"]
)
def test_an_answer_has_just_the_fields_of_the_document(site, path):
    site.happens(0)
    schema = MADE["paths"][API + path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    fields = MADE["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
    assert set(site.get(path).json) == set(fields)


def test_the_document_is_served(site):
    assert site.get("/openapi.json").json["openapi"] == "3.1.0"
