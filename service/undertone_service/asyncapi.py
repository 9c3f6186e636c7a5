"""The AsyncAPI document of the socket, made from the message types themselves."""

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from undertone_service.protocol.errors import CLOSE_CODES, ErrorCode
from undertone_service.protocol.labels import PROTOCOL_VERSION
from undertone_service.protocol.messages import AnyServerMessage, Close, Configure, Finalize, Keepalive
from undertone_service.protocol.options import StreamOptions

CLIENT_MESSAGES: tuple[type[BaseModel], ...] = (Configure, Finalize, Keepalive, Close)
SERVER_MESSAGES: tuple[type[BaseModel], ...] = get_args(AnyServerMessage)
CHANNEL = "#/channels/stream"

DESCRIPTION = """\
Binary frames are audio in the format of the query; text frames are JSON. A sample cut by the end of a \
message goes on in the next. Every session begins with `session.started`; an orderly one ends with \
`session.ended`; a refusal is an `error` message, then a close code. Browsers send their API key as the \
subprotocol pair `undertone, <key>`, everybody else as `Authorization: Bearer <key>`.\
"""


def asyncapi_document() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of ``/v1/stream``."""
    _, definitions = models_json_schema(
        [(model, "serialization") for model in SERVER_MESSAGES]
        + [(model, "validation") for model in CLIENT_MESSAGES],
        ref_template="#/components/schemas/{model}",
    )
    names = [_message_name(model) for model in (*CLIENT_MESSAGES, *SERVER_MESSAGES)]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Undertone stream", "version": PROTOCOL_VERSION, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/v1/stream",
                "description": _close_codes(),
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in ("audio", *names)},
                "bindings": {"ws": {"method": "GET", "query": _query()}},
            }
        },
        "operations": {
            "hear": {
                "action": "receive",
                "channel": {"$ref": CHANNEL},
                "messages": [_reference("audio"), *map(_reference, map(_message_name, CLIENT_MESSAGES))],
            },
            "answer": {
                "action": "send",
                "channel": {"$ref": CHANNEL},
                "messages": [*map(_reference, map(_message_name, SERVER_MESSAGES))],
            },
        },
        "components": {
            "schemas": definitions["$defs"],
            "messages": {
                "audio": _audio(),
                **{_message_name(m): _message(m) for m in CLIENT_MESSAGES + SERVER_MESSAGES},
            },
        },
    }


def _message_name(model: type[BaseModel]) -> str:
    return str(model.model_fields["type"].default)


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"{CHANNEL}/messages/{name}"}


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": _message_name(model),
        "summary": model.__doc__,
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _audio() -> dict[str, Any]:
    return {
        "name": "audio",
        "summary": "Samples in the format of the query, channels interleaved; any number of bytes.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    }


def _query() -> dict[str, Any]:
    """Describe the query parameters; lists are written with commas there, so they are strings."""
    schema = StreamOptions.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    for name, field in schema["properties"].items():
        if field.get("type") == "array":
            values = ", ".join(_enumeration(field["items"], definitions))
            default = ",".join(field.get("default", ()))
            told = field.get("description", "") + (f" (of {values})" if values else "")
            schema["properties"][name] = {"type": "string", "description": told, "default": default}
        elif "$ref" in field:
            schema["properties"][name] = {**_resolve(field, definitions), "default": field["default"]}
    return dict(schema)


def _resolve(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return dict(definitions[field["$ref"].rpartition("/")[2]]) if "$ref" in field else field


def _enumeration(field: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    return list(_resolve(field, definitions).get("enum", ()))


def _close_codes() -> str:
    listed = "; ".join(f"`{code}`: {number}" for code, number in CLOSE_CODES.items())
    others = ", ".join(f"`{code}`" for code in ErrorCode if code not in CLOSE_CODES)
    return f"Close code after each error code: {listed}; all others ({others}): 4000."
