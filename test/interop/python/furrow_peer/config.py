"""Loads ``service_config.json`` as strictly as farm-ng's loader: an unknown key is an error."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from farm_ng.core.event_service_pb2 import EventServiceConfig, EventServiceConfigList
from google.protobuf import json_format


def load_config(file: str, service_name: str) -> tuple[EventServiceConfigList, EventServiceConfig]:
    """The whole list and the named entry (of two with one name, the last)."""
    configs = json_format.ParseDict(json.loads(Path(file).read_text(encoding="utf-8")), EventServiceConfigList())
    named = [config for config in configs.configs if config.name == service_name]
    if not named:
        names = ", ".join(config.name for config in configs.configs)
        raise ValueError(f"{file} has no service {service_name!r}; it has: {names}")
    return configs, named[-1]


def config_from_command_line() -> tuple[EventServiceConfigList, EventServiceConfig]:
    parser = argparse.ArgumentParser()
    parser.add_argument("--service-config", required=True, help="path of service_config.json")
    parser.add_argument("--service-name", required=True, help="which entry of it to be")
    arguments = parser.parse_args()
    return load_config(arguments.service_config, arguments.service_name)


def program_args(config: EventServiceConfig) -> dict[str, str]:
    """The entry's ``args``. Raises ValueError on one that has not exactly one ``=``."""
    values: dict[str, str] = {}
    for arg in config.args:
        key, value = arg.split("=")
        values[key] = value
    return values
