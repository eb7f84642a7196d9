"""Writes and reads event files by the contract alone: ``<uint32 little-endian length of Event><Event><payload>``.

    python3 event_file.py write FILE
    python3 event_file.py read FILE

``write`` makes the same bytes each time; they are checked in as ``test/vectors/event-file.bin``. ``read`` prints one JSON
line a record: what Python understands of it.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any, Iterator

from furrow_peer import messages, proto_import

proto_import.install()

from farm_ng.core.event_pb2 import Event  # noqa: E402
from farm_ng.core.timestamp_pb2 import Timestamp  # noqa: E402
from farm_ng.core.uri_pb2 import Uri  # noqa: E402

BOOT = 1_700_000_000.0
MESSAGES = (
    ("oak/0", "/header/calibration", "google.protobuf.StringValue", "google/protobuf/wrappers.proto", "fx=1"),
    ("agent-1", "/sample", "google.protobuf.Struct", "google/protobuf/struct.proto", {"sample": 0.5, "task_id": 1}),
    ("agent-1", "/größe", "google.protobuf.Int64Value", "google/protobuf/wrappers.proto", str(2**53 - 1)),
    ("agent-1", "/empty", "google.protobuf.Empty", "google/protobuf/empty.proto", {}),
    ("agent-1", "/image", "google.protobuf.BytesValue", "google/protobuf/wrappers.proto", "AAEC" * 400),
)


def records() -> Iterator[tuple[Event, bytes]]:
    for number in range(15):
        service, path, kind, pb, value = MESSAGES[number % len(MESSAGES)]
        payload = messages.from_json(kind, value).SerializeToString(deterministic=True)
        now = 100.0 + number / 10
        uri = Uri(
            scheme="protobuf",
            authority="brain",
            path=path,
            query=f"type={kind}&pb={pb}&service_name={service}",
        )
        stamps = [
            Timestamp(stamp=now, clock_name="brain/monotonic", semantics="service/send"),
            Timestamp(stamp=BOOT + now, clock_name="brain/system_clock/UTC", semantics="service/send"),
            Timestamp(stamp=now + 0.001, clock_name="brain/monotonic", semantics="file/write"),
        ]
        sequence = number // len(MESSAGES)
        yield Event(uri=uri, timestamps=stamps, payload_length=len(payload), sequence=sequence), payload


def write(file: Path) -> None:
    with file.open("wb") as out:
        for event, payload in records():
            head = event.SerializeToString()
            out.write(struct.pack("<I", len(head)))
            out.write(head)
            out.write(payload)


def read(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as source:
        while prefix := source.read(4):
            (length,) = struct.unpack("<I", prefix)
            head = source.read(length)
            event = Event.FromString(head)
            payload = source.read(event.payload_length)
            if len(head) != length or len(payload) != event.payload_length:
                raise EOFError(f"{file} ends within a record")
            # Exactly one "=" in each part, as farm-ng's reader wants it.
            query = dict(part.split("=") for part in event.uri.query.split("&"))
            message = messages.class_named(query["type"]).FromString(payload)
            yield {
                "name": f"{query['service_name']}{event.uri.path}",
                "event": messages.to_json(event),
                "message": messages.to_json(message),
            }


def main() -> None:
    _, command, name = sys.argv
    if command == "write":
        write(Path(name))
        return
    for record in read(Path(name)):
        print(json.dumps(record, ensure_ascii=False))


main()
