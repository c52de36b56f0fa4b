"""The servers of one test: started when asked for, checked and stopped at its end, told about when it fails."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from mockpacs.app import MockPACS
from mockpacs.errors import ConfigurationError, MockpacsError
from mockpacs.plugin.account import account
from mockpacs.plugin.keeping import folder_of, forget, plain, shown
from mockpacs.plugin.trimming import trim
from mockpacs.plugin.wish import Wish, marked, wish

_FACTORY: Final = "make_mockpacs()"
_SHARED: Final[tuple[str, ...]] = ("strict", "allow", "seed")
"""Keywords of the marker that hold for what the factory makes too."""
_COMPLAINTS: Final = 10
"""So many are shown when they fail a test."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server and what the test wants of it."""

    name: str
    pacs: MockPACS
    wish: Wish
    recording: Path | None
    """What is kept of it."""
    blank: int
    """Bytes of the recording of a server that nobody connects to; it is gone after the stop."""

    def has_come(self) -> bool:
        """Whether anybody connected."""
        try:
            return self.recording is not None and self.recording.stat().st_size > self.blank
        except OSError:
            return False


class Servers:
    """All servers of one test, in the order in which they were started."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._item: pytest.Item = request.node
        self._config = request.config
        self._keep = self._config.getoption("mockpacs_keep") or self._config.getini("mockpacs_keep")
        self._folder = folder_of(request)
        self._running: list[Running] = []
        self._accounts: list[tuple[str, str]] = []
        self._passed = False
        """Whether the body of the test did."""
        self._failed = False
        """Whether any phase did not."""

    def make_marked(self) -> MockPACS:
        """The server as the markers of the test want it. Raises `MockpacsError`."""
        return self._start("", wish(self._item, *marked(self._item)))

    def make(self, *scenarios: str | Path, name: str = "", **keywords: Any) -> MockPACS:
        """Another server; what markers say about strict, allow and seed holds for it too. Raises `MockpacsError`."""
        _, said = marked(self._item)
        wish(self._item, (), said)  # a wrong word there is told, though little of it is used
        shared = {word: said[word] for word in _SHARED if word in said}
        if name:
            shared["aet"] = name
        elif self._running and not scenarios:
            shared["aet"] = f"MOCKPACS{len(self._running) + 1}"
        return self._start(name, wish(self._item, scenarios, {**shared, **keywords}, said_in=_FACTORY))

    def end(self) -> str:
        """Check all servers, unless the test failed by itself, and stop them; returns what is to be complained of."""
        wrong = [(one.name, text) for one in self._running for text in self._complaints(one) if self._passed]
        if wrong:
            self._accounts = self._told(with_complaints=False)
        for one in reversed(self._running):
            try:
                one.pacs.stop()
            except MockpacsError as error:
                wrong.append((one.name, f"it did not stop as it should: {error}"))
        texts = [f"[{name}] {text}" if len(self._running) > 1 else text for name, text in wrong[:_COMPLAINTS]]
        more = len(wrong) - len(texts)
        return self.short("\n\n".join([*texts, *([f"and {more} more complaints"] if more else [])]))

    def short(self, text: str) -> str:
        """With the paths as a person who ran the tests can type them."""
        return text.replace(f"{self._config.invocation_params.dir}{os.sep}", "")

    def raised(self, error: BaseException) -> None:
        """Hear what a phase raised, before it is reported."""
        if not self._config.getoption("fulltrace", False):
            trim(error)

    def reported(self, report: pytest.TestReport) -> None:
        """Hear how a phase of the test went; the first failure gets the accounts of the servers."""
        self._passed |= report.when == "call" and report.passed
        if report.failed:
            if report.when != "teardown":
                self._accounts = self._told(with_complaints=True)
            if not self._failed:
                for name, text in self._accounts:
                    _add(report, f"mockpacs {name}", text)
            self._failed = True
        if report.when == "teardown" and self._keep == "failed" and not self._failed:
            forget(self._folder)

    def _start(self, name: str, wanted: Wish) -> MockPACS:
        if name and name in [one.name for one in self._running]:
            raise ConfigurationError(
                f"{_FACTORY}: this test has a server called {name!r} already; name this one otherwise"
            )
        pacs = MockPACS(**self._options(name, wanted.options))
        pacs.allow(*wanted.allow)
        pacs.start()
        kept = pacs.recording if self._keep != "none" else None
        self._running.append(Running(name or pacs.aet, pacs, wanted, kept, kept.stat().st_size if kept else 0))
        return pacs

    def _options(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """With what the command line says, and the place of the recording."""
        port = self._config.getoption("mockpacs_port")
        forced = {"port": port} if port is not None and not self._running else {}
        if self._keep == "none" or not options.get("record", True):
            return {**options, **forced}
        inner = plain(name) if name else f"server-{len(self._running) + 1}" if self._running else ""
        return {"recordings": self._folder / inner, **options, **forced}

    def _complaints(self, one: Running) -> list[str]:
        if not one.wish.strict:
            return []
        try:
            one.pacs.allow(*one.wish.allow)  # once more: a reset in the test took it away
            return list(dict.fromkeys(one.pacs.complaints()))
        except MockpacsError as error:  # the recording cannot be read any more
            return [f"it could not be checked: {error}"]

    def _recording(self, one: Running) -> str:
        if one.recording is None:
            return "not kept"
        if not one.has_come():
            return "none: nobody connected"
        return f"mockpacs show {shlex.quote(shown(one.recording, self._config))}"

    def _told(self, *, with_complaints: bool) -> list[tuple[str, str]]:
        return [(one.name, self.short(self._account(one, with_complaints))) for one in self._running]

    def _account(self, one: Running, with_complaints: bool) -> str:
        try:
            return account(
                one.pacs,
                self._complaints(one) if with_complaints else [],
                test=self._item.nodeid,
                recording=self._recording(one),
                is_checked=one.wish.strict,
                verbosity=self._config.get_verbosity(),
            )
        except MockpacsError as error:  # a report must come, whatever became of the server
            return f"there is no account of it: {error}"


def _add(report: pytest.TestReport, title: str, text: str) -> None:
    """Into the failure itself, so that files of results have it too; sections of a report are for what was captured."""
    add = getattr(report.longrepr, "addsection", None)
    if add is not None:
        add(title, text, "-")
    else:
        report.sections.append((title, text))
