"""Inner test runs: each in a process of its own, as a user has it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CLIENT = '''
"""A client that says on the wire what a test wants."""
import contextlib

from tests.net.wire_client import CONTEXTS, WireClient, ct_image, element


@contextlib.contextmanager
def talking(pacs, calling="CT01"):
    with WireClient(pacs.host, pacs.port) as client:
        client.associate(*CONTEXTS, calling=calling)
        yield client
        client.release()


def echo(pacs, **who):
    with talking(pacs, **who) as client:
        return client.echo()


def store(pacs, instance="1.2.3.4", *, patient="P1", **who):
    with talking(pacs, **who) as client:
        return client.store(ct_image(instance, patient=patient), instance)


def find(pacs, name="DOE*", **who):
    keys = element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", name.encode())
    with talking(pacs, **who) as client:
        return [status for status, _ in client.find(keys)]


def hang_up(pacs):
    """Close the connection in the middle of an association: the standard does not allow it."""
    with WireClient(pacs.host, pacs.port) as client:
        client.associate(*CONTEXTS, calling="CT01")
        client.echo()
        client.hear_nothing_more()
'''

Run = Callable[..., pytest.RunResult]


def is_installed() -> bool:
    """Whether pytest finds the plugin by itself: an editable installation of before has no entry point."""
    return any(one.value == "mockpacs.pytest_plugin" for one in entry_points(group="pytest11"))


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run(text, "-n2")``: the tests in a text, with some arguments; without a text those of before."""
    for name in ("PYTEST_ADDOPTS", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makepyfile(client=CLIENT)
    pytester.makeini(f"[pytest]\npythonpath = {ROOT} .\nasyncio_default_fixture_loop_scope = function\n")

    def one(text: str = "", *arguments: str) -> pytest.RunResult:
        if text:
            pytester.makepyfile(test_sender=text)
        plugin = () if is_installed() else ("-p", "mockpacs.pytest_plugin")
        return pytester.runpytest_subprocess(*plugin, "-q", *arguments, timeout=60)

    return one
