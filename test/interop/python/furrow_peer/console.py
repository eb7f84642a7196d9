"""What a probe prints: one JSON object a line, flushed, told apart by ``kind``."""

from __future__ import annotations

import json
import sys
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from . import envelope, messages


def say(kind: str, **values: Any) -> None:
    print(json.dumps({"kind": kind, **values}, ensure_ascii=False), file=sys.stdout, flush=True)


def carried(event: Message, payload: bytes, message: Message | None) -> dict[str, Any]:
    """An event with its payload. ``message`` is null where the payload was not decoded."""
    return {
        "event": json_format.MessageToDict(event, including_default_value_fields=True),
        "payloadHex": payload.hex(),
        "message": None if message is None else messages.to_json(message),
    }


def decoded(event: Message, payload: bytes) -> dict[str, Any]:
    return carried(event, payload, envelope.decode(event, payload))


def failure(error: grpc.RpcError) -> dict[str, Any]:
    """A failed call: gRPC's code by name, the message, and the trailing metadata."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return {"code": "UNKNOWN", "details": repr(error), "metadata": {}}
    return {
        "code": error.code().name,
        "details": error.details(),
        "metadata": metadata(error.trailing_metadata()),
    }


def metadata(pairs: Any) -> dict[str, str]:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in pairs or ()}
