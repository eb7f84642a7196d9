"""farm-ng-core's ends of a bench run: `python farm-ng.py publisher|subscriber`.

Speaks the same lines of JSON over standard input and output as end.ts.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import time
import traceback

import grpc
from farm_ng.core.event_client import EventClient
from farm_ng.core.event_service import EventServiceGrpc
from farm_ng.core.event_service_pb2 import EventServiceConfig, SubscribeRequest
from farm_ng.core.uri_pb2 import Uri
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value

PATH = "/bench"


def config_of(port: int) -> EventServiceConfig:
    return EventServiceConfig(name="bench", host="localhost", port=port, log_level=50)


class Stopwatch:
    """Wall and CPU time since it was made."""

    def __init__(self):
        self.at, self.cpu = time.monotonic(), time.process_time()

    def read(self) -> dict:
        return {"seconds": time.monotonic() - self.at, "cpuSeconds": time.process_time() - self.cpu}


class Publisher:
    def __init__(self):
        self.last, self.tasks, self.running = -1, [], False

    async def open(self, workload: dict, port: int) -> int:
        with socket.socket() as free:
            # The service does not say which port it got, so it is given one.
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        self.service = EventServiceGrpc(grpc.aio.server(), config_of(port))
        self.service.logger.setLevel(logging.CRITICAL)
        self.service.request_reply_handler = self.echo
        self.message = BytesValue(value=bytes(max(16, workload["payloadBytes"] - 2)))
        self.tasks.append(asyncio.create_task(self.service.serve()))
        return port

    async def echo(self, request) -> Int32Value:
        message = Int32Value()
        message.ParseFromString(request.payload)
        return message

    async def publish(self) -> int:
        result = await self.service.publish(PATH, self.message)
        self.last = result.sequence_number
        return result.number_clients

    async def subscribed(self, count: int) -> None:
        while await self.publish() < count:
            await asyncio.sleep(0.01)

    async def start(self, rateHz: float) -> None:
        self.running = True
        self.loop = asyncio.create_task(self.flood())

    async def flood(self) -> None:
        while self.running:
            await self.publish()

    async def begin(self) -> None:
        self.watch, self.first = Stopwatch(), self.last

    async def finish(self) -> dict:
        return {"events": self.last - self.first, **self.watch.read()}

    async def stop(self) -> int:
        self.running = False
        await self.loop
        return self.last


class Subscriber:
    async def open(self, workload: dict, port: int) -> None:
        self.client, self.tasks = EventClient(config_of(port)), []

    async def subscribe(self, count: int, stalled: bool) -> None:
        self.next, self.deliveries, self.gaps, self.disorder = [-1] * count, 0, 0, 0
        self.tasks = [asyncio.create_task(self.read(index)) for index in range(count)]

    async def read(self, index: int) -> None:
        request = SubscribeRequest(uri=Uri(path=PATH, query="service_name=bench"), every_n=0)
        async for event, _payload in self.client.subscribe(request, decode=False):
            expected = self.next[index]
            if 0 <= event.sequence < expected:
                self.disorder += 1
                continue
            if expected >= 0:
                self.gaps += event.sequence - expected
            self.next[index] = event.sequence + 1
            self.deliveries += 1

    async def begin(self) -> None:
        self.watch, self.first = Stopwatch(), self.deliveries

    async def finish(self) -> dict:
        deliveries = self.deliveries - self.first
        return {"deliveries": deliveries, "bytes": 0, "latencyMs": None, **self.watch.read()}

    async def settle(self, last: int) -> dict:
        before, quiet = -1, 0
        while quiet < 20:
            quiet = quiet + 1 if self.deliveries == before else 0
            before = self.deliveries
            await asyncio.sleep(0.05)
        missing = sum(max(0, last + 1 - max(0, reached)) for reached in self.next)
        return {"lost": self.gaps + missing, "disorder": self.disorder}

    async def request(self, concurrency: int, milliseconds: float) -> dict:
        watch, latencies = Stopwatch(), []
        end = watch.at + milliseconds / 1e3

        async def worker() -> None:
            while time.monotonic() < end:
                asked = time.monotonic()
                await self.client.request_reply("/echo", Int32Value(value=7))
                latencies.append((time.monotonic() - asked) * 1e3)

        # The first one connects: workers at once would each open a channel.
        await self.client.request_reply("/echo", Int32Value(value=7))
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        latencies.sort()
        p50, p99 = (latencies[min(len(latencies) - 1, int(len(latencies) * share))] for share in (0.5, 0.99))
        return {"requests": len(latencies), "latencyMs": {"p50": p50, "p99": p99}, **watch.read()}


async def main() -> None:
    end = Publisher() if sys.argv[1] == "publisher" else Subscriber()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        ask = json.loads(line)
        answer = {"id": ask["id"]}
        try:
            if ask["command"] != "close":
                answer["value"] = await getattr(end, ask["command"])(**ask["args"])
        except Exception:
            answer["error"] = traceback.format_exc()
        print(json.dumps(answer, separators=(",", ":")), flush=True)
        if ask["command"] == "close":
            # Nothing that waits on a stream may hold the process.
            os._exit(0)


asyncio.run(main())
