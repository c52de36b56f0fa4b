"""The rules of a server, for a request. What they need takes 200 ms to load: that happens beside the event loop."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING

from mockpacs.control.desk import Desk

if TYPE_CHECKING:
    from mockpacs.control.rules import Rules


async def rules_of(desk: Desk) -> Rules:
    """What `Desk.rules` is, once what it needs is loaded."""
    if "rules" not in vars(desk):
        await asyncio.to_thread(importlib.import_module, "mockpacs.control.rules")
    return desk.rules
