"""URIs, stamps and payloads, read and written the way farm-ng's Python does."""

from __future__ import annotations

import platform
import time

from farm_ng.core.event_pb2 import Event
from farm_ng.core.timestamp_pb2 import Timestamp
from farm_ng.core.uri_pb2 import Uri
from google.protobuf.message import Message

from .proto_import import module_of

CLIENT_SEND = "client/send"
CLIENT_RECEIVE = "client/receive"
SERVICE_SEND = "service/send"
SERVICE_RECEIVE = "service/receive"


def message_uri(path: str, message: Message, service_name: str) -> Uri:
    """The URI of an event that carries ``message``: raw query, exactly three parts, in this order."""
    descriptor = message.DESCRIPTOR
    return Uri(
        scheme="protobuf",
        authority=platform.node(),
        path=path,
        query=f"type={descriptor.full_name}&pb={descriptor.file.name}&service_name={service_name}",
    )


def query_parts(query: str) -> dict[str, str]:
    """The parts of a query. Raises ValueError on an empty query and on a part without exactly one ``=``."""
    return dict(_pair(part) for part in query.split("&"))


def _pair(part: str) -> tuple[str, str]:
    key, value = part.split("=")
    return key, value


def message_class(uri: Uri) -> type[Message]:
    """The class of an event's payload, looked up by its short name in the module that ``pb=`` names."""
    if uri.scheme != "protobuf":
        raise ValueError(f"the URI's scheme is {uri.scheme!r}, not 'protobuf'")
    parts = query_parts(uri.query)
    for key in ("type", "pb"):
        if key not in parts:
            raise ValueError(f"the URI's query {uri.query!r} has no {key}=")
    return getattr(module_of(parts["pb"]), parts["type"].split(".")[-1])


def decode(event: Event, payload: bytes) -> Message:
    """The payload as a message. Raises what the class lookup or the parser raises."""
    message = message_class(event.uri)()
    message.ParseFromString(payload)
    return message


def monotonic_stamp(semantics: str) -> Timestamp:
    return Timestamp(stamp=time.monotonic(), clock_name=f"{platform.node()}/monotonic", semantics=semantics)


def system_stamp(semantics: str) -> Timestamp:
    zone = time.localtime().tm_zone
    return Timestamp(stamp=time.time(), clock_name=f"{platform.node()}/system_clock/{zone}", semantics=semantics)
