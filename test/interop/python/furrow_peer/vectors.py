"""The golden byte vectors: one list of cases, every message of the wire contract with its edge values."""

from __future__ import annotations

import base64
from typing import Any, Iterator

from . import messages

CORE = "farm_ng.core.proto."
GOOGLE = "google.protobuf."

ABOVE_SAFE = str(2**53 + 1)
BELOW_SAFE = str(-(2**53) - 1)
INT64_MAX = str(2**63 - 1)
INT64_MIN = str(-(2**63))
UINT64_MAX = str(2**64 - 1)

QUERY = "type=google.protobuf.Struct&pb=google/protobuf/struct.proto&service_name=agent-1"
URI = {"scheme": "protobuf", "authority": "brain", "path": "/sample", "query": QUERY}
UNICODE_URI = {"scheme": "protobuf", "authority": "höst", "path": "/пробы/样本/🌱", "query": "service_name=oak/0"}
STAMPS = [
    {"stamp": 12345.678901234, "clockName": "brain/monotonic", "semantics": "service/send"},
    {"stamp": 1700000000.123456, "clockName": "brain/system_clock/UTC", "semantics": "service/send"},
]
EVENT = {"uri": URI, "timestamps": STAMPS, "payloadLength": "42", "sequence": "7"}
ALL_BYTES = base64.b64encode(bytes(range(256))).decode()
SUBSCRIPTION = {"uri": {"path": "/sample", "query": "depth=100&overflow=block&service_name=agent-1"}, "everyN": 2}
SERVICE = {
    "name": "supervisor-1",
    "port": 7001,
    "host": "localhost",
    "subscriptions": [SUBSCRIPTION, {"uri": {"path": "*", "query": "service_name=agent-2"}}],
    "uris": [URI, {"scheme": "request", "path": "/update_residual", "query": "request=a.B&reply=c.D"}],
    "args": ["confidence=0.25", "residual=storage/residual", "", "größe=ø"],
    "logLevel": "INFO",
}
NESTED = {
    "bool": False,
    "empty list": [],
    "empty object": {},
    "list": [None, True, 1, "two", [3, [4]], {"five": 5.5}],
    "null": None,
    "object": {"a": {"b": {"c": {}}}},
    "text": "",
}
LOG_LEVELS = ["NOTSET", "DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL", 7]
ANNOTATIONS = ["UNKNOWN", "ROW_START", "ROW_END", "PATH_START", "PATH_END", "WAYPOINT", "NOTE"]

# By type: name of the case → its proto3 JSON value.
CASES: dict[str, dict[str, Any]] = {
    CORE
    + "Uri": {
        "empty": {},
        "full": URI,
        "unicode": UNICODE_URI,
        "only a path": {"path": "/"},
        "no percent-encoding": {"path": "/a b%2Fc", "query": "a=1&&b=%2F&c==&service_name=gps/front"},
        "two-byte length": {"path": "/" + "x" * 299},
    },
    CORE
    + "Timestamp": {
        "empty": {},
        "full": STAMPS[0],
        "negative": {"stamp": -0.1},
        "smallest": {"stamp": 5e-324},
        "largest": {"stamp": 1.7976931348623157e308},
        "infinite": {"stamp": "-Infinity"},
        "not a number": {"stamp": "NaN"},
        "unicode": {"clockName": "höst/system_clock/МСК", "semantics": "устройство"},
    },
    CORE
    + "Event": {
        "empty": {},
        "full": EVENT,
        "empty uri": {"uri": {}},
        "empty stamp": {"timestamps": [{}, {}]},
        "first": {"uri": URI, "timestamps": STAMPS},
        "sequence 2^53 - 1": {"sequence": str(2**53 - 1)},
        "sequence 2^53": {"sequence": str(2**53)},
        "sequence 2^53 + 1": {"sequence": ABOVE_SAFE, "payloadLength": ABOVE_SAFE},
        "sequence 2^32": {"sequence": str(2**32), "payloadLength": str(2**31)},
        "largest": {"sequence": INT64_MAX, "payloadLength": INT64_MAX},
        "minus one": {"sequence": "-1", "payloadLength": "-1"},
        "below -2^53": {"sequence": BELOW_SAFE},
        "smallest": {"sequence": INT64_MIN, "payloadLength": INT64_MIN},
    },
    CORE
    + "SubscribeRequest": {
        "empty": {},
        "full": SUBSCRIPTION,
        "every path": {"uri": {"path": "*"}, "everyN": 1},
        "largest every_n": {"everyN": 2**32 - 1},
        "unicode": {"uri": UNICODE_URI},
    },
    CORE
    + "RequestReply": {
        "empty": {},
        "empty sides": {"request": {}, "reply": {}},
        "full": {"request": {"event": EVENT, "payload": "CAE="}, "reply": {"event": EVENT, "payload": ALL_BYTES}},
    },
    CORE + "ListUrisRequest": {"empty": {}},
    CORE + "ListUrisReply": {"empty": {}, "one": {"uris": [URI]}, "three": {"uris": [URI, {}, UNICODE_URI]}},
    CORE
    + "EventServiceConfig": {
        "empty": {},
        "full": SERVICE,
        "largest port": {"port": 2**31 - 1},
        "negative port": {"port": -1},
        **{f"log level {level}": {"name": "a", "logLevel": level} for level in LOG_LEVELS},
    },
    CORE
    + "EventServiceConfigList": {
        "empty": {},
        "an empty entry": {"configs": [{}]},
        "two": {"configs": [SERVICE, {"name": "storage", "host": "localhost", "port": 7010}]},
    },
    CORE
    + "RecorderProfile": {
        "empty": {},
        "empty metadata": {"name": "a", "metadata": {}},
        "full": {"name": "record_default", "subscriptions": [SUBSCRIPTION], "metadata": NESTED},
    },
    CORE
    + "RecorderAnnotation": {
        "empty": {},
        **{f"kind {kind}": {"stamps": STAMPS, "kind": "ANNOTATION_" + kind, "message": "…"} for kind in ANNOTATIONS},
        "unknown kind": {"kind": 99},
    },
    GOOGLE
    + "Struct": {
        "empty": {},
        "sample": {"sample": 0.7213814924044664, "task_id": 3},
        "nested": NESTED,
        "numbers": {"a": 2**53, "b": -(2**53), "c": 1e300, "d": 5e-324, "e": 0, "f": -0.5},
        "unicode": {"": "empty key", "größe": "ø", "样本": "🌱", "🌱": "\u0000\n\"\\"},
        "integer keys": {"1": 1, "10": 10, "2": 2, "a": "after the digits"},
        "health": {"/sample/rate": 49.9, "/sample/send_clients": 2, "/sample/send_count": 1234},
        "200 keys": {f"/path_{index:03}/send_count": index for index in range(200)},
    },
    GOOGLE
    + "Value": {
        "null": None,
        "zero": 0,
        "number": -1.5,
        "empty text": "",
        "text": "пробы 🌱",
        "false": False,
        "true": True,
        "empty list": [],
        "empty object": {},
        "nested": [NESTED],
    },
    GOOGLE + "ListValue": {"empty": [], "nested": [None, 1, "", [], {}, [True]]},
    GOOGLE + "DoubleValue": {"zero": 0, "pi": 3.141592653589793, "infinite": "Infinity", "not a number": "NaN"},
    # Only floats that are the same number as a double: languages print the others with more or fewer digits.
    GOOGLE + "FloatValue": {"zero": 0, "half": -0.5, "2^24": 2**24, "infinite": "-Infinity"},
    GOOGLE
    + "Int64Value": {
        "zero": "0",
        "2^53 - 1": str(2**53 - 1),
        "2^53 + 1": ABOVE_SAFE,
        "below -2^53": BELOW_SAFE,
        "largest": INT64_MAX,
        "smallest": INT64_MIN,
        "minus one": "-1",
    },
    GOOGLE + "UInt64Value": {"zero": "0", "2^53 + 1": ABOVE_SAFE, "2^63": str(2**63), "largest": UINT64_MAX},
    GOOGLE + "Int32Value": {"zero": 0, "residual": 455, "minus one": -1, "largest": 2**31 - 1, "smallest": -(2**31)},
    GOOGLE + "UInt32Value": {"zero": 0, "2^31": 2**31, "largest": 2**32 - 1},
    GOOGLE + "BoolValue": {"false": False, "true": True},
    GOOGLE + "StringValue": {"empty": "", "text": "record_default", "unicode": "пробы 样本 🌱", "control": "\u0000\t\n"},
    GOOGLE + "BytesValue": {"empty": "", "zero": "AA==", "all bytes": ALL_BYTES, "300 bytes": "AAAA" * 100},
    GOOGLE
    + "Timestamp": {
        "epoch": "1970-01-01T00:00:00Z",
        "nanoseconds": "2024-02-29T12:34:56.123456789Z",
        "before the epoch": "1969-12-31T23:59:59.900Z",
        "first": "0001-01-01T00:00:00Z",
        "last": "9999-12-31T23:59:59.999999999Z",
    },
    GOOGLE
    + "Duration": {
        "zero": "0s",
        "one and a half": "1.500s",
        "negative": "-1.500s",
        "nanosecond": "-0.000000001s",
        "longest": "315576000000s",
    },
    GOOGLE
    + "Any": {
        "empty": {},
        "wrapped number": {"@type": "type.googleapis.com/google.protobuf.Int32Value", "value": 455},
        "wrapped struct": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": [1, None]}},
        "wrapped uri": {"@type": "type.googleapis.com/farm_ng.core.proto.Uri", **URI},
    },
    GOOGLE + "Empty": {"empty": {}},
    GOOGLE + "FieldMask": {"empty": "", "one": "path", "several": "uri.path,payloadLength,event.uri.query"},
    **{
        CORE
        + name: {
            "empty": {},
            "empty event": {"event": {}},
            "full": {"event": EVENT, "payload": "CgYKAWESARE="},
            "every byte": {"payload": ALL_BYTES},
            "300 bytes": {"payload": "AAAA" * 100},
        }
        for name in ("SubscribeReply", "RequestReplyRequest", "RequestReplyReply")
    },
}


def encode_all() -> Iterator[dict[str, Any]]:
    """Every case as ``{name, type, json, hex}``, sorted by type."""
    for full_name in sorted(CASES):
        for name, value in CASES[full_name].items():
            yield vector(name, messages.from_json(full_name, value))


def decode_one(name: str, full_name: str, hexadecimal: str) -> dict[str, Any]:
    """What Python understands from somebody's bytes, in the form of ``encode_all``."""
    return vector(name, messages.class_named(full_name).FromString(bytes.fromhex(hexadecimal)))


def vector(name: str, message) -> dict[str, Any]:
    return {
        "name": name,
        "type": message.DESCRIPTOR.full_name,
        "json": messages.to_json(message),
        "hex": message.SerializeToString(deterministic=True).hex(),
    }
