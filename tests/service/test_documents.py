"""OpenAPI and AsyncAPI: complete, consistent, and committed as they are generated."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from undertone_service.asyncapi import CLIENT_MESSAGES, SERVER_MESSAGES, asyncapi_document
from undertone_service.documents import documents
from undertone_service.protocol.options import StreamOptions

DOCS = Path(__file__).parents[2] / "docs"


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "$ref":
                yield part
            else:
                yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_committed_document_is_current_and_whole(name: str) -> None:
    text = documents()[name]
    assert (DOCS / name).read_text() == text, "run: python -m undertone_service.documents docs"
    document = json.loads(text)
    found = list(references(document))
    assert found
    for reference in found:
        assert resolve(document, reference)


def test_the_committed_page_of_settings_is_current() -> None:
    assert (DOCS / "settings.md").read_text() == documents()["settings.md"], "run: make specs"


def test_asyncapi_names_every_message_and_query_parameter() -> None:
    document = asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    stream = document["channels"]["stream"]
    types = {model.model_fields["type"].default for model in (*CLIENT_MESSAGES, *SERVER_MESSAGES)}
    assert set(stream["messages"]) == types | {"audio"}
    said = [part["$ref"].rpartition("/")[2] for part in document["operations"]["answer"]["messages"]]
    assert said == [model.model_fields["type"].default for model in SERVER_MESSAGES]
    query = stream["bindings"]["ws"]["query"]["properties"]
    assert set(query) == set(StreamOptions.model_fields)
    assert query["encoding"]["enum"] == ["s16le", "f32le", "mulaw", "alaw"]
    assert query["roles"]["type"] == "string"
    assert not list(references(query))


def test_openapi_names_every_path_and_refusals_in_our_form() -> None:
    document = json.loads(documents()["openapi.json"])
    assert {
        "/v1/speakers",
        "/v1/speakers/{speaker}",
        "/v1/speakers/{speaker}/enrollments",
        "/v1/speakers/{speaker}/verify",
        "/v1/identify",
        "/v1/analyze",
        "/v1/models",
        "/v1/sessions/{session}",
        "/v1/sessions/{session}/events",
        "/healthz",
        "/readyz",
        "/metrics",
    } <= set(document["paths"])
    for path in document["paths"].values():
        for operation in path.values():
            assert "422" not in operation["responses"]
            assert operation["responses"]["4XX"]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Problem"
            }
