"""One Python peer for many cases: it serves, publishes and subscribes as lines of its standard input say.

    {"do": "serve", "key": FILE, "cert": FILE}    a service with farm-ng's habits, on a plain and on a TLS port
    {"do": "publish", "path", "value": BASE64}    a BytesValue
    {"do": "subscribe", "id", "address", "path", "query", "everyN"?, "ca"?: FILE, "paused"?: true}
    {"do": "pause" | "resume" | "cancel", "id"}   stops and continues reading a subscription, or leaves

Messages are taken as bytes and told by their digest, so that a test can hold them against what was sent, byte by byte.
What is published on `/compressed` leaves compressed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, AsyncIterator

import grpc
from furrow_peer import proto_import

proto_import.install()

from farm_ng.core.event_service_pb2 import EventServiceConfig, SubscribeReply, SubscribeRequest  # noqa: E402
from farm_ng.core.uri_pb2 import Uri  # noqa: E402
from furrow_peer.console import failure, metadata, say  # noqa: E402
from furrow_peer.program import run  # noqa: E402
from furrow_peer.service import SERVICE, PeerService  # noqa: E402
from google.protobuf.wrappers_pb2 import BytesValue  # noqa: E402

HOST = "127.0.0.1"


def message(kind: str, envelope: bytes, **more: Any) -> None:
    event = SubscribeReply.FromString(envelope).event
    digest = hashlib.sha256(envelope).hexdigest()
    say(kind, **more, message={"path": event.uri.path, "sequence": event.sequence, "digest": digest})


class TellingService(PeerService):
    """Prints what it sends."""

    def __init__(self) -> None:
        super().__init__(
            EventServiceConfig(name="agent-1", host=HOST),
            lambda request, change: say("subscriber", change=change, path=request.uri.path, query=request.uri.query),
        )

    async def _subscribe(self, request: SubscribeRequest, context: grpc.aio.ServicerContext) -> AsyncIterator:
        if request.uri.path == "/compressed":
            context.set_compression(grpc.Compression.Gzip)
        async for reply in super()._subscribe(request, context):
            yield reply

    async def _deliver(self, reply: SubscribeReply, latch: bool) -> int:
        message("sent", reply.SerializeToString())
        return await super()._deliver(reply, latch)


class Subscription:
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.reading = asyncio.Event()
        if not told.get("paused"):
            self.reading.set()
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        name = self.told["id"]
        try:
            async with self.channel() as channel:
                uri = Uri(scheme="protobuf", path=self.told["path"], query=self.told["query"])
                call = channel.unary_stream(
                    f"/{SERVICE}/subscribe", request_serializer=SubscribeRequest.SerializeToString
                )(SubscribeRequest(uri=uri, every_n=self.told.get("everyN", 0)))
                say("open", metadata=metadata(await call.initial_metadata()))
                while True:
                    await self.reading.wait()
                    reply = await call.read()
                    if reply is grpc.aio.EOF:
                        break
                    message("came", reply, id=name)
                say("over", id=name, code=(await call.code()).name, details=await call.details())
        except grpc.RpcError as error:
            ended = failure(error)
            say("over", id=name, code=ended["code"], details=ended["details"])

    def channel(self) -> grpc.aio.Channel:
        # A connection of its own: what one subscription does not read must not stop another.
        options = (("grpc.use_local_subchannel_pool", 1),)
        if "ca" not in self.told:
            return grpc.aio.insecure_channel(self.told["address"], options)
        trusted = grpc.ssl_channel_credentials(Path(self.told["ca"]).read_bytes())
        return grpc.aio.secure_channel(self.told["address"], trusted, options)


async def main() -> None:
    subscriptions: dict[str, Subscription] = {}
    service = TellingService()

    async def serve(told: dict[str, Any]) -> None:
        pair = (Path(told["key"]).read_bytes(), Path(told["cert"]).read_bytes())
        tls_port = service.server.add_secure_port(f"{HOST}:0", grpc.ssl_server_credentials([pair]))
        say("serving", port=await service.start(), tlsPort=tls_port)

    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        match told["do"]:
            case "serve":
                await serve(told)
            case "publish":
                await service.publish(told["path"], BytesValue(value=base64.b64decode(told["value"])))
            case "subscribe":
                subscriptions[told["id"]] = Subscription(told)
            case "pause":
                subscriptions[told["id"]].reading.clear()
            case "resume":
                subscriptions[told["id"]].reading.set()
            case "cancel":
                subscriptions.pop(told["id"]).task.cancel()


run(main())
