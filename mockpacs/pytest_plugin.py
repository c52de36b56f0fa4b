"""The pytest plugin: fixtures `mockpacs` and `make_mockpacs`, the marker, the options, the report of a failure.

Every test run imports this module, so it imports pytest and the standard library and does no work; `mockpacs.plugin`
and the server are loaded by the first test that asks for one.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from mockpacs.app import MockPACS
    from mockpacs.plugin.servers import Servers

KEEP: Final = ("failed", "all", "none")
_SERVERS: Final[pytest.StashKey[Servers]] = pytest.StashKey()
_MARKER: Final = (
    "mockpacs(*scenarios, seed=, strict=True, allow=[], **options): the server of this test: scenarios to play (files "
    "beside the test or in the rootdir, or names of shipped ones), and any option of mockpacs."
)


class MakeMockPACS(Protocol):
    """What the fixture ``make_mockpacs`` is."""

    def __call__(
        self,
        *scenarios: str | Path,
        name: str = "",
        strict: bool = True,
        allow: list[str] | None = None,
        **options: Any,
    ) -> MockPACS:
        """Start another server; it is checked and stopped when the test ends.

        ``name`` is what reports call it, and its AE title unless ``aet`` is given. Raises `MockpacsError`.
        """


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line, and their equivalents in the ini file."""
    group = parser.getgroup("mockpacs", "mockpacs, a DICOM server for tests")
    group.addoption(
        "--mockpacs-keep", choices=KEEP, help="Whose recordings are kept, in pytest's cache folder. Default: failed."
    )
    group.addoption(
        "--mockpacs-seed", type=_seed, metavar="N", help="Seed of all that scenarios draw, stronger than any other."
    )
    group.addoption(
        "--mockpacs-port",
        type=_port,
        metavar="N",
        help="Port of the first server of each test instead of a free one, to attach a client by hand.",
    )
    parser.addini("mockpacs_keep", "As --mockpacs-keep.", default="failed")
    parser.addini("mockpacs_seed", "Seed of tests that say none.", default="")
    parser.addini("mockpacs_strict", "Whether servers are checked at the end of a test.", type="bool", default=True)
    parser.addini("mockpacs_allow", "Findings allowed in every test.", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what cannot be before a test runs."""
    config.addinivalue_line("markers", _MARKER)
    if config.getini("mockpacs_keep") not in KEEP:
        raise pytest.UsageError(f"mockpacs_keep is one of {', '.join(KEEP)}, not {config.getini('mockpacs_keep')!r}")
    if seed := config.getini("mockpacs_seed"):
        try:
            _seed(seed)
        except ArgumentTypeError as error:
            raise pytest.UsageError(f"mockpacs_seed: {error}") from error
    if config.getoption("mockpacs_port") is not None and config.getoption("dist", "no") != "no":
        raise pytest.UsageError(
            "--mockpacs-port is for one process: two workers of pytest-xdist cannot share a port; add -n0"
        )


@pytest.fixture
def make_mockpacs(request: pytest.FixtureRequest) -> Iterator[MakeMockPACS]:
    """Start servers: ``make_mockpacs("disk-full", name="ARCHIVE")``. All are checked and stopped when the test ends."""
    from mockpacs.plugin.servers import Servers

    servers = request.node.stash[_SERVERS] = Servers(request)
    yield servers.make
    if text := servers.end():
        pytest.fail(text, pytrace=False)


@pytest.fixture
def mockpacs(request: pytest.FixtureRequest, make_mockpacs: MakeMockPACS) -> MockPACS:
    """A DICOM server of this test alone, on a free port, in memory. ``@pytest.mark.mockpacs(...)`` says how it is."""
    from mockpacs.errors import MockpacsError

    servers: Servers = request.node.stash[_SERVERS]
    try:
        return servers.make_marked()
    except MockpacsError as error:
        sentence = servers.short(str(error))
    pytest.fail(sentence, pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the servers saw to the report of a failure."""
    servers = item.stash.get(_SERVERS, None)
    if servers is not None and call.excinfo is not None:
        servers.raised(call.excinfo.value)
    report = yield
    if servers is not None:
        servers.reported(report)
    return report


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"a seed is a whole number, not {text!r}") from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)
