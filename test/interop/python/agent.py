"""Samples several tasks and publishes what it finds, while there is room for the results.

    python3 agent.py --service-config service_config.json --service-name agent-1
"""

from __future__ import annotations

import asyncio
import logging
import random

from furrow_peer.config import config_from_command_line, program_args
from furrow_peer.program import run
from furrow_peer.service import PeerService
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

PAUSE_S = 0.01


class Agent:
    def __init__(self, service: PeerService) -> None:
        args = program_args(service.config)
        self._rate_hz = float(args["rate"])
        self._num_tasks = int(args["num_tasks"])
        # Until somebody tells us otherwise, there is room.
        self._residual = 1_000_000
        self._service = service
        service.on_request(self._answer)

    async def run(self) -> None:
        await asyncio.gather(self._service.serve(), *map(self._sample, range(self._num_tasks)))

    async def _answer(self, event, message) -> Empty:
        if event.uri.path == "/update_residual":
            self._residual = message.value
            self._service.logger.info("Remainder: %d", self._residual)
        return Empty()

    async def _sample(self, task_id: int) -> None:
        while True:
            if self._residual > 0:
                sample = Struct()
                sample.update({"sample": random.random(), "task_id": task_id})
                await self._service.publish("/sample", sample)
                await asyncio.sleep(1 / self._rate_hz)
                print(f"Published sample {sample['sample']} from task {task_id}", flush=True)
            else:
                await asyncio.sleep(PAUSE_S)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    _, own = config_from_command_line()

    async def main() -> None:
        await Agent(PeerService(own)).run()

    run(main())
