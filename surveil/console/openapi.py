"""The OpenAPI document of the API, made from the table of routes and the annotations of its handlers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from surveil import __version__
from surveil.console.endpoint import Endpoint

_REF = "#/components/schemas/{model}"
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "remedy": {"type": "string"},
                "fields": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "path": {"type": "string"},
                            "line": {"type": ["integer", "null"]},
                            "message": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}


def document(table: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document (OpenAPI 3.1) of a table of routes."""
    models = {
        kind: mode
        for one in table
        for kind, mode in ((_model(one, "body"), "validation"), (_model(one, "return"), "serialization"))
        if kind is not None
    }
    refs, definitions = models_json_schema(
        [(kind, "validation" if mode == "validation" else "serialization") for kind, mode in models.items()],
        ref_template=_REF,
    )
    by_model = {kind: schema for (kind, _mode), schema in refs.items()}
    paths: dict[str, dict[str, Any]] = {}
    for one in table:
        paths.setdefault(f"/api/v1{one.path}", {})[one.method.lower()] = _operation(one, by_model)
    return {
        "openapi": "3.1.0",
        "info": {"title": "surveil", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Error": _ERROR},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-surveil"},
            },
        },
    }


def _operation(one: Endpoint, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    body, answer = _model(one, "body"), _model(one, "return")
    content = {"application/json": {"schema": schemas[answer]}} if answer else {}
    made: dict[str, Any] = {
        "operationId": one.name,
        "summary": (inspect.getdoc(one.handler) or "").partition("\n")[0],
        "x-role": one.role,
        "x-scope": one.scope,
        "security": [] if one.role is None else [{"token": []}, {"session": []}],
        "parameters": [*_path_parameters(one), *_query_parameters(one)],
        "responses": {
            "200": {"description": "Success.", **({"content": content} if content else {})},
            "default": {
                "description": "A refusal.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schemas[body]}}}
    return made


def _path_parameters(one: Endpoint) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)\}", one.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(one: Endpoint) -> list[dict[str, Any]]:
    query = _model(one, "query")
    schema = query.model_json_schema() if query else {}
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema.get("properties", {}).items()
    ]


def _model(one: Endpoint, what: str) -> type[BaseModel] | None:
    found = one.hints.get(what)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None
