"""The pages without a room of their own: the queue, who one is, and the endpoints' own page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from pydantic import Field

from resight.catalogue.checks import checked_name
from resight.errors import ResightError
from resight.web.desk import OfDesk, OfWho, page, remember_who
from resight.web.shapes import Given

router = APIRouter(include_in_schema=False)


class Me(Given):
    """Who is at the browser."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


@router.get("/", response_class=HTMLResponse)
def queue_page(request: Request, desk: OfDesk) -> HTMLResponse:
    """The queue; what waits is fetched by the page, since it is lent to one tab."""
    return page(request, "queue.html", active="/", counts=desk.catalogue.counts())


@router.post("/api/me")
def be(me: Me, response: Response) -> dict[str, str]:
    """Say who is at this browser; decisions are signed so from now on."""
    name = checked_name(me.name, "your name")
    remember_who(response, name)
    return {"name": name}


@router.api_route("/healthz", methods=["GET", "HEAD"], response_class=PlainTextResponse)
def health(desk: OfDesk) -> PlainTextResponse:
    """For whatever watches over the server: whether the catalogue answers, and nothing else."""
    try:
        desk.catalogue.revision()
    except ResightError:
        return PlainTextResponse("the catalogue does not answer\n", 503)
    return PlainTextResponse("ok\n")


@router.get("/api", response_class=HTMLResponse)
def endpoints_page(request: Request, who: OfWho) -> HTMLResponse:
    """What other programs may ask: the OpenAPI description, to read."""
    described: dict[str, Any] = request.app.openapi()
    found = []
    for path, methods in described["paths"].items():
        for method, one in methods.items():
            found.append({"method": method.upper(), "path": path, **_endpoint(one, described)})
    return page(request, "endpoints.html", active="/api", endpoints=found, described=described)


def _endpoint(one: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    body = one.get("requestBody", {}).get("content", {})
    kind, fields = next(
        ((kind, _fields(shape["schema"], described)) for kind, shape in body.items()), ("", [])
    )
    answers = one.get("responses", {}).get("200", {}).get("content", {})
    answer_kind, answer = next(
        ((kind, _fields(shape.get("schema", {}), described)) for kind, shape in answers.items()),
        ("", []),
    )
    return {
        "summary": one.get("summary", ""),
        "description": one.get("description", ""),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "kind": _kind(parameter.get("schema", {})),
                "needed": parameter.get("required", False),
                "description": parameter.get("description", ""),
            }
            for parameter in one.get("parameters", [])
        ]
        + [{**field, "where": "form" if "form" in kind else "body"} for field in fields],
        "answer_kind": answer_kind,
        "answer": answer,
    }


def _fields(schema: dict[str, Any], described: dict[str, Any]) -> list[dict[str, Any]]:
    many = schema.get("items", {}) if schema.get("type") == "array" else schema
    name = many.get("$ref", "").rpartition("/")[2]
    shape = described.get("components", {}).get("schemas", {}).get(name, {})
    needed = shape.get("required", [])
    return [
        {
            "name": key,
            "kind": _kind(value),
            "needed": key in needed,
            "description": value.get("description", ""),
        }
        for key, value in shape.get("properties", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return "file" if "contentMediaType" in schema else str(schema.get("type", "anything"))
