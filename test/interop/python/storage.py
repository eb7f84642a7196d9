"""Counts what is stored, answers how much room is left, and carries away full batches.

    python3 storage.py --service-config service_config.json --service-name storage
"""

from __future__ import annotations

import asyncio
import logging

from furrow_peer.config import config_from_command_line, program_args
from furrow_peer.program import run
from furrow_peer.service import PeerService
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value

IDLE_S = 0.05
BETWEEN_BATCHES_S = 0.1


class Storage:
    def __init__(self, service: PeerService) -> None:
        args = program_args(service.config)
        self._max_storage = int(args["max_storage"])
        self._batch_size = int(args["batch_size"])
        self._stored = 0
        self._service = service
        service.on_request(self._answer)

    async def run(self) -> None:
        await asyncio.gather(self._service.serve(), self._remove_batches())

    async def _answer(self, event, _message) -> Message:
        if event.uri.path != "/update_storage":
            return Empty()
        self._stored += 1
        remaining = self._max_storage - self._stored
        self._service.logger.info("Storage: %d/%d (%d remaining)", self._stored, self._max_storage, remaining)
        return Int32Value(value=remaining)

    async def _remove_batches(self) -> None:
        while True:
            if self._stored >= self._batch_size:
                self._stored -= self._batch_size
                self._service.logger.info("Removed from storage: %d/%d", self._batch_size, self._max_storage)
                await asyncio.sleep(BETWEEN_BATCHES_S)
            else:
                await asyncio.sleep(IDLE_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    _, own = config_from_command_line()

    async def main() -> None:
        await Storage(PeerService(own)).run()

    run(main())
