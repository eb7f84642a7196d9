"""Message classes by full name, and messages as JSON."""

from __future__ import annotations

import importlib
from functools import reduce
from typing import Any

from google.protobuf import descriptor_pool, json_format
from google.protobuf.message import Message

from .proto_import import module_of

WELL_KNOWN = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")
CORE = ("event", "event_service", "recorder", "timestamp", "uri")


def class_named(full_name: str) -> type[Message]:
    """The class of a well-known type, of the wire contract, or of a module imported before. Else KeyError."""
    for name in WELL_KNOWN:
        importlib.import_module(f"google.protobuf.{name}_pb2")
    for name in CORE:
        importlib.import_module(f"farm_ng.core.{name}_pb2")
    file = descriptor_pool.Default().FindMessageTypeByName(full_name).file
    names = full_name[len(file.package) :].lstrip(".").split(".")
    return reduce(getattr, names, module_of(file.name))


def from_json(full_name: str, value: Any) -> Message:
    """A message from its proto3 JSON value. An unknown key is an error."""
    return json_format.ParseDict(value, class_named(full_name)())


def to_json(message: Message) -> Any:
    """The message as its canonical proto3 JSON value: camel case, defaults left out, map keys sorted."""
    return _sorted(json_format.MessageToDict(message))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        # "@type" of an Any sorts first by itself; the order of fields has no meaning.
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
