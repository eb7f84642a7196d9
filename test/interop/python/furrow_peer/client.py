"""The subscribing and asking side, with farm-ng's habits."""

from __future__ import annotations

import logging
from typing import AsyncIterator, Callable

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
from farm_ng.core.uri_pb2 import Uri
from google.protobuf.message import Message

from . import envelope
from .metrics import SHARED
from .service import SERVICE


class PeerClient:
    """All calls to one service. No call has a deadline unless one is given: without a server it waits for ever.

    ``on_stream`` is told of each subscription call as it opens, and ``on_stream_error`` of each that failed.
    """

    def __init__(
        self,
        config: EventServiceConfig,
        on_stream: Callable[[grpc.aio.UnaryStreamCall], None] = lambda call: None,
        on_stream_error: Callable[[grpc.RpcError], None] | None = None,
    ) -> None:
        if config.port == 0 or config.host == "":
            raise ValueError(f"{config.name!r} has no port or no host, so it cannot be a client's configuration")
        self.config = config
        self.logger = logging.getLogger(f"{config.name}/client")
        self._on_stream = on_stream
        self._on_stream_error = on_stream_error or self._log_stream_error
        self._channel: grpc.aio.Channel | None = None

    async def subscribe(
        self, request: SubscribeRequest, decode: bool = True
    ) -> AsyncIterator[tuple[Event, Message | bytes]]:
        """Events for ever: a failed stream is opened again.

        Two things end it, as they end a farm-ng program: an event that does not decode raises the decoder's error,
        and a stream that the server ends without an error status raises AttributeError.
        """
        call: grpc.aio.UnaryStreamCall | None = None
        try:
            while True:
                channel = await self._connected()
                if call is None:
                    call = channel.unary_stream(
                        f"/{SERVICE}/subscribe",
                        request_serializer=SubscribeRequest.SerializeToString,
                        response_deserializer=SubscribeReply.FromString,
                    )(request)
                    self._on_stream(call)
                try:
                    reply = await call.read()
                except grpc.RpcError as error:
                    call = None
                    self._on_stream_error(error)
                    continue
                # At an orderly end this is gRPC's EOF marker, which has no event.
                reply.event.timestamps.append(envelope.monotonic_stamp(envelope.CLIENT_RECEIVE))
                count = f"{reply.event.uri.path}/receiver/count"
                SHARED.set(count, SHARED.get(count) + 1)
                yield reply.event, envelope.decode(reply.event, reply.payload) if decode else reply.payload
        finally:
            if call is not None:
                call.cancel()

    async def request(
        self, path: str, message: Message, timeout_s: float | None = None, wait: bool = True
    ) -> RequestReplyReply:
        """Asks once. ``wait=False`` does not wait for the server to be there first."""
        channel = await self._connected(wait)
        count = f"{path}/receiver/count"
        sequence = SHARED.get(count)
        SHARED.set(count, sequence + 1)
        payload = message.SerializeToString()
        event = Event(
            uri=envelope.message_uri(path, message, self.config.name),
            timestamps=[envelope.monotonic_stamp(envelope.CLIENT_SEND), envelope.system_stamp(envelope.CLIENT_SEND)],
            payload_length=len(payload),
            sequence=sequence,
        )
        ask = channel.unary_unary(
            f"/{SERVICE}/requestReply",
            request_serializer=RequestReplyRequest.SerializeToString,
            response_deserializer=RequestReplyReply.FromString,
        )
        reply = await ask(RequestReplyRequest(event=event, payload=payload), timeout=timeout_s)
        reply.event.timestamps.append(envelope.monotonic_stamp(envelope.CLIENT_RECEIVE))
        return reply

    async def request_decoded(self, path: str, message: Message) -> Message:
        reply = await self.request(path, message)
        return envelope.decode(reply.event, reply.payload)

    async def list_uris(self, timeout_s: float | None = None, wait: bool = True) -> list[Uri]:
        channel = await self._connected(wait)
        ask = channel.unary_unary(
            f"/{SERVICE}/listUris",
            request_serializer=ListUrisRequest.SerializeToString,
            response_deserializer=ListUrisReply.FromString,
        )
        return list((await ask(ListUrisRequest(), timeout=timeout_s)).uris)

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def _connected(self, wait: bool = True) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"{self.config.host}:{self.config.port}")
        if wait:
            await self._channel.channel_ready()
        return self._channel

    def _log_stream_error(self, error: grpc.RpcError) -> None:
        self.logger.warning("The stream ended: %s", error)
