"""A folder made of an incident: a scenario, the instances, what was said, and a test in which it happens again."""

from __future__ import annotations

from mockpacs.replay.distill.again import play_client

__all__ = ["play_client"]
