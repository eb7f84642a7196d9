"""The publishing and answering side of an event service, with farm-ng's habits."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import AsyncIterator, Awaitable, Callable

import grpc
from farm_ng.core.event_pb2 import Event
from farm_ng.core.event_service_pb2 import (
    EventServiceConfig,
    ListUrisReply,
    ListUrisRequest,
    RequestReplyReply,
    RequestReplyRequest,
    SubscribeReply,
    SubscribeRequest,
)
from farm_ng.core.timestamp_pb2 import Timestamp
from farm_ng.core.uri_pb2 import Uri
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from . import envelope
from .metrics import SHARED

SERVICE = "farm_ng.core.proto.EventService"
QUEUE_LENGTH = 10

Handler = Callable[..., Awaitable[Message]]


class PeerService:
    """One service on one port. ``on_subscribers`` is told (request, +1 or -1) as subscribers come and go."""

    def __init__(
        self,
        config: EventServiceConfig,
        on_subscribers: Callable[[SubscribeRequest, int], None] = lambda request, change: None,
    ) -> None:
        self.config = config
        self.logger = logging.getLogger(config.name)
        self.logger.setLevel(config.log_level)
        self.logger.addHandler(logging.StreamHandler())
        # Without this a second server on a port in use would start, and share its calls with the first.
        self.server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self.server.add_generic_rpc_handlers((self._rpc_handlers(),))
        self._on_subscribers = on_subscribers
        self._queues: dict[str, list[tuple[SubscribeRequest, asyncio.Queue]]] = {}
        self._uris: dict[str, Uri] = {}
        self._latched: dict[str, SubscribeReply] = {}
        self._handler: Handler | None = None

    def on_request(self, handler: Handler) -> None:
        """Sets the one handler: ``handler(request)``, or ``handler(event, message)`` with the payload decoded."""
        if len(inspect.signature(handler).parameters) not in (1, 2):
            raise ValueError("a request handler takes (request) or (event, message)")
        self._handler = handler

    def subscribers(self, path: str) -> int:
        """How many listen to exactly this path; ``*`` counts those that listen to all."""
        return len(self._queues.get(path, []))

    async def start(self) -> int:
        """Listens on the configured host, and answers the port: the configured one, or a free one for 0."""
        address = f"{self.config.host or 'localhost'}:{self.config.port}"
        port = self.server.add_insecure_port(address)
        if port == 0:
            raise OSError(f"cannot listen on {address}")
        await self.server.start()
        self.logger.info("Listening on port %d", port)
        return port

    async def stop(self) -> None:
        """Ends every call at once."""
        await self.server.stop(grace=None)

    async def serve(self) -> None:
        """Starts, and publishes ``/health`` each second until cancelled."""
        await self.start()
        await self.publish_health()

    async def publish_health(self) -> None:
        while True:
            await self.publish("/health", SHARED.health())
            await asyncio.sleep(1)

    async def publish(
        self, path: str, message: Message, timestamps: list[Timestamp] | None = None, latch: bool = False
    ) -> tuple[int, int]:
        """Answers the sequence number and how many subscribers it was meant for.

        Raises TypeError when the path has carried another type before.
        """
        sent = envelope.monotonic_stamp(envelope.SERVICE_SEND)
        stamps = [*(timestamps or []), sent, envelope.system_stamp(envelope.SERVICE_SEND)]
        uri = envelope.message_uri(path, message, self.config.name)
        known = self._uris.setdefault(path, uri)
        if known.query != uri.query:
            raise TypeError(f"{path} carries {known.query}, not {uri.query}")
        sequence = SHARED.get(f"{path}/send_count")
        payload = message.SerializeToString()
        event = Event(uri=uri, timestamps=stamps, payload_length=len(payload), sequence=sequence)
        subscribers = await self._deliver(SubscribeReply(event=event, payload=payload), latch)
        SHARED.set(f"{path}/send_count", sequence + 1)
        SHARED.set(f"{path}/send_clients", subscribers)
        SHARED.sent(path, sent.stamp)
        return sequence, subscribers

    async def _deliver(self, reply: SubscribeReply, latch: bool) -> int:
        path, sequence = reply.event.uri.path, reply.event.sequence
        if latch:
            self._latched[path] = reply
        queues = [
            queue
            for request, queue in [*self._queues.get("*", []), *self._queues.get(path, [])]
            if request.every_n == 0 or sequence % request.every_n == 0
        ]
        for queue in queues:
            try:
                queue.put_nowait(reply)
            except asyncio.QueueFull:
                dropped = SHARED.get(f"{path}/dropped") + 1
                SHARED.set(f"{path}/dropped", dropped)
                self.logger.warning("Dropped sequence %d of %s, %d so far", sequence, path, dropped)
        await asyncio.sleep(0)
        return len(queues)

    async def _subscribe(self, request: SubscribeRequest, context: grpc.aio.ServicerContext) -> AsyncIterator:
        path = request.uri.path
        # Yielding before the queue exists loses what is published meanwhile. That is farm-ng's habit, kept on purpose.
        if path == "*":
            for latched in list(self._latched.values()):
                yield latched
        elif path in self._latched:
            yield self._latched[path]
        entry = (request, asyncio.Queue(maxsize=QUEUE_LENGTH))
        self._queues.setdefault(path, []).append(entry)

        def leave(_: object) -> None:
            self._queues[path].remove(entry)
            self._on_subscribers(request, -1)

        context.add_done_callback(leave)
        self._on_subscribers(request, +1)
        while True:
            yield await entry[1].get()

    async def _request_reply(self, request: RequestReplyRequest, _: grpc.aio.ServicerContext) -> RequestReplyReply:
        request.event.timestamps.append(envelope.monotonic_stamp(envelope.SERVICE_RECEIVE))
        message = await self._answer(request)
        payload = message.SerializeToString()
        event = Event(
            uri=envelope.message_uri("/reply/request" + request.event.uri.path, message, self.config.name),
            timestamps=[envelope.monotonic_stamp(envelope.SERVICE_SEND), envelope.system_stamp(envelope.SERVICE_SEND)],
            payload_length=len(payload),
            sequence=request.event.sequence,
        )
        return RequestReplyReply(event=event, payload=payload)

    async def _answer(self, request: RequestReplyRequest) -> Message:
        # Whatever is raised here, by the handler or by the decoder, reaches the caller as gRPC's UNKNOWN.
        if self._handler is None:
            return Empty()
        if len(inspect.signature(self._handler).parameters) == 1:
            return await self._handler(request)
        return await self._handler(request.event, envelope.decode(request.event, request.payload))

    async def _list_uris(self, _: ListUrisRequest, __: grpc.aio.ServicerContext) -> ListUrisReply:
        return ListUrisReply(uris=list(self._uris.values()))

    def _rpc_handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "listUris": _rpc(grpc.unary_unary_rpc_method_handler, self._list_uris, ListUrisRequest),
                "subscribe": _rpc(grpc.unary_stream_rpc_method_handler, self._subscribe, SubscribeRequest),
                "requestReply": _rpc(grpc.unary_unary_rpc_method_handler, self._request_reply, RequestReplyRequest),
            },
        )


def _rpc(kind: Callable, behaviour: Callable, request: type[Message]) -> grpc.RpcMethodHandler:
    return kind(
        behaviour, request_deserializer=request.FromString, response_serializer=lambda reply: reply.SerializeToString()
    )
