"""Runs a program to its end, and ends the process for certain."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from typing import Coroutine


def run(main: Coroutine[None, None, int | None]) -> None:
    """Exits with what ``main`` returns (None is 0), or with a traceback and 1 when it raises."""
    try:
        code = asyncio.run(main) or 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # gRPC's event loop thread can spin for ever when a server outlives its loop, so nothing is left to finalizers.
    os._exit(code)
