"""The description of the API itself."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from surveil.console.context import Call


def openapi(_call: Call) -> Response:
    """Return the OpenAPI document of this API."""
    # The table has this very function, too.
    from surveil.console.openapi import document  # noqa: PLC0415
    from surveil.console.routes import TABLE  # noqa: PLC0415

    return JSONResponse(document(TABLE))
