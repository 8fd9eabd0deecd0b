"""What openapi.json promises, and whether an answer keeps it."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import utxoracle.api.contract

METHODS = ("get", "head")

_NAME = "urn:openapi"


class Document:
    """A document of OpenAPI 3.1."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._registry: Registry[Any] = Registry().with_resource(
            _NAME, Resource.from_contents(content, default_specification=DRAFT202012)
        )

    @property
    def paths(self) -> dict[str, Any]:
        return dict(self.content["paths"])

    def parameters(self, path: str, place: str = "query") -> dict[str, Any]:
        """Return the parameters of a path that stand in a `place`, by their names."""
        found = [self.resolved(one) for one in self.paths[path].get("parameters", ())]
        return {one["name"]: one for one in found if one["in"] == place}

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        """Return a part of the document, or what it refers to instead of saying it."""
        if "$ref" not in part:
            return part
        found = self.content
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step.replace("~1", "/").replace("~0", "~")]
        return found

    def examples(self) -> Iterator[tuple[str, dict[str, Any], Any]]:
        """Yield each example with its place and the schema that it must fit."""
        yield from self._examples(self.content["components"], ("components",))

    def _examples(
        self, part: Any, place: tuple[str, ...]
    ) -> Iterator[tuple[str, dict[str, Any], Any]]:
        if isinstance(part, dict) and "schema" in part:
            for name, example in part.get("examples", {}).items():
                yield "/".join((*place, name)), part["schema"], example["value"]
        elif isinstance(part, dict):
            for name, inner in part.items():
                yield from self._examples(inner, (*place, name))

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Return what is wrong with a value, by a schema that stands in the document."""
        rooted = json.loads(json.dumps(schema).replace('"#/', f'"{_NAME}#/'))
        validator = Draft202012Validator(
            rooted, registry=self._registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]

    def check(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Check that an answer from a path of the document is what that promises."""
        operation = self.paths[path][method.lower()]
        where = f"{method} {path} {status}"
        assert str(status) in operation["responses"], f"{where} isn't documented: {body[:200]!r}"
        promised = self.resolved(operation["responses"][str(status)])
        self._check_headers(where, promised.get("headers", {}), headers)
        assert status < 400 or "etag" not in headers, where
        if method == "HEAD" or status == 304:
            assert body == b"", where
            return
        media_type = headers["content-type"].partition(";")[0]
        assert media_type in promised["content"], f"{where}: {media_type}"
        schema = promised["content"][media_type].get("schema", {})
        value = json.loads(body) if media_type == "application/json" else body.decode()
        assert self.faults(schema, value) == [], where

    def check_problem(self, status: int, body: bytes) -> None:
        """Check that a body is an error of the one shape."""
        value = json.loads(body)
        assert self.faults({"$ref": "#/components/schemas/Problem"}, value) == [], body
        assert value["error"]["status"] == status

    def _check_headers(
        self, where: str, promised: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        for name, part in promised.items():
            header = self.resolved(part)
            value: Any = headers.get(name.lower())
            if value is None:
                assert not header.get("required"), f"{where}: {name} is missing"
                continue
            if header["schema"]["type"] == "integer":
                value = int(value)
            assert self.faults(header["schema"], value) == [], f"{where}: {name}"


@cache
def document() -> Document:
    """Return the document that the package holds."""
    return Document(json.loads(utxoracle.api.contract.DOCUMENT.read_bytes()))


def place_of(path: str, /, **values: str) -> str:
    """Return a path of the document with values in place of its parameters."""
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", quote(value))
    return path
