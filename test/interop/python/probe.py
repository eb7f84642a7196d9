"""One small program for each thing a farm-ng peer does, driven from a test or by hand.

    python3 probe.py publish --port 0 --name agent-1 --path /sample --type google.protobuf.Int32Value --json 7 --latch
    python3 probe.py subscribe --address localhost:5001 --path /sample --query service_name=agent-1 --count 1
    python3 probe.py request --address localhost:7010 --name storage --path /update_storage --json '{}'

Prints JSON lines; stops on SIGTERM with exit code 0, at its deadline with 3, on a failed call with 1. Anything that
would end a farm-ng program ends this one in the same way, with a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import grpc
from furrow_peer import messages, proto_import, vectors
from furrow_peer.client import PeerClient
from furrow_peer.config import load_config
from furrow_peer.console import carried, decoded, failure, metadata, say
from furrow_peer.program import run
from furrow_peer.service import PeerService

from farm_ng.core.event_service_pb2 import EventServiceConfig, SubscribeRequest
from farm_ng.core.uri_pb2 import Uri
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorSet

EXIT_FAILED = 1
EXIT_DEADLINE = 3
INT32 = "google.protobuf.Int32Value"


async def subscribe(options: argparse.Namespace) -> int:
    """Prints ``subscribing`` and ``open`` a call, then each event; ``end`` when the server ends the stream."""
    opened: list[asyncio.Task] = []

    def on_stream(call: grpc.aio.UnaryStreamCall) -> None:
        async def headers() -> None:
            say("open", metadata=metadata(await call.initial_metadata()))

        say("subscribing")
        opened.append(asyncio.create_task(headers()))

    def on_stream_error(error: grpc.RpcError) -> None:
        say("end", **failure(error))
        if not options.reconnect:
            raise error

    client = PeerClient(_server(options), on_stream, on_stream_error)
    uri = Uri(scheme="protobuf", path=options.path, query=options.query)
    received = 0
    try:
        async for event, content in client.subscribe(
            SubscribeRequest(uri=uri, every_n=options.every_n), decode=not options.raw
        ):
            if options.raw:
                say("event", **carried(event, content, None))
            else:
                say("event", **carried(event, content.SerializeToString(deterministic=True), content))
            received += 1
            if received == options.count:
                return 0
            if options.pause_ms:
                await asyncio.sleep(options.pause_ms / 1000)
    except grpc.RpcError:
        return EXIT_FAILED
    return 0


async def request(options: argparse.Namespace) -> int:
    """Prints ``reply`` or ``error`` for each of ``--count`` requests, one after another."""
    client = PeerClient(_server(options))
    message = messages.from_json(options.type, json.loads(options.json))
    for _ in range(options.count):
        try:
            reply = await client.request(options.path, message, _seconds(options.timeout_ms), wait=not options.no_wait)
        except grpc.RpcError as error:
            say("error", **failure(error))
            return EXIT_FAILED
        if options.raw:
            say("reply", **carried(reply.event, reply.payload, None))
        else:
            say("reply", **decoded(reply.event, reply.payload))
    return 0


async def list_uris(options: argparse.Namespace) -> int:
    try:
        uris = await PeerClient(_server(options)).list_uris(_seconds(options.timeout_ms), wait=not options.no_wait)
    except grpc.RpcError as error:
        say("error", **failure(error))
        return EXIT_FAILED
    say("uris", uris=[json_format.MessageToDict(uri, including_default_value_fields=True) for uri in uris])
    return 0


async def publish(options: argparse.Namespace) -> int:
    """Prints ``listening``, ``published`` for each event, ``subscriber`` as they come and go. Answers Empty."""
    return await _serve(options, _service(options))


async def echo_service(options: argparse.Namespace) -> int:
    """Also prints ``request`` for each, and answers the request's own message, or ``--json``. Raises on ``--fail``."""
    service = _service(options)

    async def answer(event, message):
        say("request", **carried(event, message.SerializeToString(deterministic=True), message))
        if event.uri.path in options.fail:
            raise RuntimeError(f"told to fail on {event.uri.path}")
        return messages.from_json(options.type, json.loads(options.reply)) if options.reply else message

    service.on_request(answer)
    return await _serve(options, service)


async def _serve(options: argparse.Namespace, service: PeerService) -> int:
    say("listening", port=await service.start())
    try:
        await asyncio.gather(
            asyncio.sleep(0) if options.no_health else service.publish_health(),
            _publish_given(options, service),
            _publish_told(service) if options.stdin else asyncio.Event().wait(),
        )
    finally:
        await service.stop()
    return 0


async def _publish_given(options: argparse.Namespace, service: PeerService) -> None:
    if not options.json:
        return
    while options.after_subscribers > service.subscribers(options.path):
        await asyncio.sleep(0.005)
    values = [messages.from_json(options.type, json.loads(value)) for value in options.json]
    number = 0
    while options.count in (None, 0) or number < options.count:
        await _publish(service, options.path, values[number % len(values)], options.latch)
        number += 1
        if options.count is None and number == len(values):
            return
        await asyncio.sleep(1 / options.rate_hz if options.rate_hz else 0)


async def _publish_told(service: PeerService) -> None:
    """Each line of stdin, ``{"path", "type", "json", "latch"?}``, is published in turn."""
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        told = json.loads(line)
        await _publish(service, told["path"], messages.from_json(told["type"], told["json"]), told.get("latch", False))
    await asyncio.Event().wait()


async def _publish(service: PeerService, path: str, message, latch: bool) -> None:
    try:
        sequence, subscribers = await service.publish(path, message, latch=latch)
    except TypeError as error:
        say("refused", path=path, message=str(error))
        return
    say("published", path=path, sequence=sequence, subscribers=subscribers)


async def check_config(options: argparse.Namespace) -> int:
    """Loads a configuration as a farm-ng program does, and prints the named entry."""
    try:
        _, config = load_config(options.file, options.name)
    except (ValueError, json_format.ParseError) as error:
        say("error", details=str(error))
        return EXIT_FAILED
    say("config", config=json_format.MessageToDict(config))
    return 0


async def encode_vectors(options: argparse.Namespace) -> int:
    every = list(vectors.encode_all())
    if options.out:
        Path(options.out).write_text(json.dumps(every, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    else:
        for vector in every:
            say("vector", **vector)
    return 0


async def decode_vectors(options: argparse.Namespace) -> int:
    """Reads ``[{name, type, hex}]`` from a file or stdin, and prints each as Python understands and encodes it."""
    text = Path(options.file).read_text(encoding="utf-8") if options.file else sys.stdin.read()
    for given in json.loads(text):
        say("vector", **vectors.decode_one(given["name"], given["type"], given["hex"]))
    return 0


async def compare_protos(options: argparse.Namespace) -> int:
    """Compares our reading of the .proto files with a descriptor set that a compiler made; prints what differs."""
    made = FileDescriptorSet.FromString(Path(options.file).read_bytes())
    # The well-known types come with protobuf and carry options of its version.
    files = [file for file in made.file if not file.name.startswith("google/")]
    differ = [file.name for file in files if not proto_import.same(file)]
    say("protos", files=[file.name for file in files], differ=differ)
    return EXIT_FAILED if differ else 0


def _server(options: argparse.Namespace) -> EventServiceConfig:
    host, _, port = options.address.rpartition(":")
    return EventServiceConfig(name=options.name, host=host, port=int(port))


def _service(options: argparse.Namespace) -> PeerService:
    def on_subscribers(subscription: SubscribeRequest, change: int) -> None:
        say("subscriber", change=change, path=subscription.uri.path, query=subscription.uri.query)

    return PeerService(EventServiceConfig(name=options.name, host=options.host, port=options.port), on_subscribers)


def _seconds(timeout_ms: float | None) -> float | None:
    return None if timeout_ms is None else timeout_ms / 1000


def _commands() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(run, *parents: argparse.ArgumentParser, deadline_ms: float = 30_000) -> argparse.ArgumentParser:
        name = run.__name__.replace("_", "-")
        made = commands.add_parser(name, parents=parents, help=(run.__doc__ or "").split("\n")[0])
        made.add_argument(
            "--deadline-ms", type=float, default=deadline_ms, help="of the whole program, default %(default)s"
        )
        made.set_defaults(run=run)
        return made

    calls = argparse.ArgumentParser(add_help=False)
    calls.add_argument("--address", required=True, help="host:port of the service")
    calls.add_argument("--name", default="peer", help="the service's name")

    once = argparse.ArgumentParser(add_help=False)
    once.add_argument("--timeout-ms", type=float, help="gRPC deadline of each call; farm-ng sets none")
    once.add_argument("--no-wait", action="store_true", help="fail at once where no server is")

    serves = argparse.ArgumentParser(add_help=False)
    serves.add_argument("--host", default="localhost")
    serves.add_argument("--port", type=int, default=0, help="0 takes a free one and prints it")
    serves.add_argument("--name", default="peer", help="the service's name")
    serves.add_argument("--path", default="/sample", help="where --json is published")
    serves.add_argument("--type", default=INT32, help="full message name of --json and --reply, default %(default)s")
    serves.add_argument("--json", action="append", default=[], help="a message to publish; may be repeated")
    serves.add_argument("--count", type=int, help="events in all, --json over and over; 0 is without end")
    serves.add_argument("--rate-hz", type=float, default=0, help="0 is as fast as it goes")
    serves.add_argument("--latch", action="store_true")
    serves.add_argument("--after-subscribers", type=int, default=0, help="publish only when so many listen to --path")
    serves.add_argument("--stdin", action="store_true", help="publish also what stdin says, a JSON object a line")
    serves.add_argument("--no-health", action="store_true", help="do not publish /health")

    made = command(subscribe, calls)
    made.add_argument("--path", required=True)
    made.add_argument("--query", default="")
    made.add_argument("--every-n", type=int, default=0)
    made.add_argument("--count", type=int, help="stop after so many events")
    made.add_argument("--pause-ms", type=float, default=0, help="between two reads: a slow subscriber")
    made.add_argument("--raw", action="store_true", help="do not decode payloads")
    made.add_argument("--reconnect", action="store_true", help="open a failed stream again, as farm-ng does")

    made = command(request, calls, once)
    made.add_argument("--path", required=True)
    made.add_argument("--type", default="google.protobuf.Empty", help="full message name, default %(default)s")
    made.add_argument("--json", default="{}", help="proto3 JSON of the message")
    made.add_argument("--count", type=int, default=1)
    made.add_argument("--raw", action="store_true", help="do not decode the reply")

    command(list_uris, calls, once)
    command(publish, serves, deadline_ms=120_000)
    made = command(echo_service, serves, deadline_ms=120_000)
    made.add_argument("--fail", action="append", default=[], help="a request path to raise on; may be repeated")
    made.add_argument("--reply", help="JSON of a fixed reply of --type")

    made = command(check_config)
    made.add_argument("file")
    made.add_argument("--name", required=True)
    command(compare_protos).add_argument("file", help="a FileDescriptorSet, as protoc or buf writes it")
    command(encode_vectors).add_argument("--out", help="write one JSON array here instead of printing lines")
    command(decode_vectors).add_argument("--file", help="default stdin")
    return parser


async def main() -> int:
    options = _commands().parse_args()
    running = asyncio.ensure_future(options.run(options))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    done, _ = await asyncio.wait([running], timeout=_seconds(options.deadline_ms))
    if not done:
        running.cancel()
        await asyncio.wait([running])
        say("deadline", deadlineMs=options.deadline_ms)
        return EXIT_DEADLINE
    return 0 if running.cancelled() else running.result()


if __name__ == "__main__":
    run(main())
