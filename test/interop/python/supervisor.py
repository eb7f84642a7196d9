"""Watches the samples of its agents, stores the confident ones, and tells the agents how much room is left.

    python3 supervisor.py --service-config service_config.json --service-name supervisor-1
"""

from __future__ import annotations

import asyncio
import logging

from furrow_peer.client import PeerClient
from furrow_peer.config import config_from_command_line, program_args
from furrow_peer.program import run
from furrow_peer.service import PeerService
from google.protobuf.empty_pb2 import Empty


class Supervisor:
    def __init__(self, service: PeerService, configs) -> None:
        self._confidence = float(program_args(service.config)["confidence"])
        self._service = service
        # A client for every other entry: one without a host and a port stops the program here.
        self._clients = {
            config.name: PeerClient(config) for config in configs if config.name != service.config.name
        }

    async def run(self) -> None:
        await asyncio.gather(self._service.serve(), *map(self._watch, self._service.config.subscriptions))

    async def _watch(self, subscription) -> None:
        agent = self._clients[subscription.uri.query.split("=")[-1]]
        storage = self._clients["storage"]
        async for _, sample in agent.subscribe(subscription):
            if sample["sample"] > self._confidence:
                residual = await storage.request_decoded("/update_storage", Empty())
                self._service.logger.info("Residual: %s", residual)
                await agent.request("/update_residual", residual)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    everyone, own = config_from_command_line()

    async def main() -> None:
        await Supervisor(PeerService(own), everyone.configs).run()

    run(main())
