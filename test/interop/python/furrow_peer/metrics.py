"""The numbers behind ``/health``: one store for the whole process, as in farm-ng."""

from __future__ import annotations

from collections import deque

from google.protobuf.struct_pb2 import Struct

RATE_WINDOW = 50


class Metrics:
    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._sends: dict[str, deque[float]] = {}

    def get(self, key: str) -> int:
        return int(self._values.get(key, 0))

    def set(self, key: str, value: float) -> None:
        self._values[key] = value

    def sent(self, path: str, stamp: float) -> None:
        """Notes one send on a path, for its rate. ``stamp`` in monotonic seconds."""
        self._sends.setdefault(path, deque(maxlen=RATE_WINDOW)).append(stamp)

    def health(self) -> Struct:
        for path, stamps in self._sends.items():
            span = stamps[-1] - stamps[0]
            self._values[f"{path}/rate"] = len(stamps) / span if span > 0 else 0.0
        struct = Struct()
        struct.update(self._values)
        return struct


# farm-ng's store is a singleton, so two services in one process share their sequence numbers. Peers must cope.
SHARED = Metrics()
