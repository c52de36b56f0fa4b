"""How tests are run: options of the command line, workers, event loops, unittest, and runs that use none of it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.plugin.conftest import ROOT, Run, is_installed

DRAWS = """
    import pytest
    from client import talking, ct_image

    @pytest.mark.mockpacs("chance.yaml", seed=1)
    def test_draws(mockpacs):
        with talking(mockpacs) as client:
            drawn = "".join("x" if client.echo() else "." for _ in range(40))
        print("seed", mockpacs.rules.seed, "drawn", drawn)
        assert False
    """
CHANCE = "mockpacs: 1\nseed: 5\nrules:\n  - { when: { service: C-ECHO }, chance: 50%, then: { status: A700 } }\n"


def drawn(result: pytest.RunResult) -> tuple[str, str]:
    line = next(line for line in result.stdout.lines if line.startswith("seed "))
    return line.split()[1], line.split()[3]


def test_the_seed_of_the_command_line_is_the_strongest(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("chance.yaml").write_text(CHANCE)
    marked = drawn(run(DRAWS))
    assert marked[0] == "1"
    again = run("", "--mockpacs-seed", "7")
    assert drawn(again)[0] == "7"
    assert drawn(again) != marked
    again.stdout.fnmatch_lines(["again      pytest test_sender.py::test_draws --mockpacs-seed 7"])
    assert drawn(run("", "--mockpacs-seed", "7")) == drawn(again)
    assert drawn(run(DRAWS.replace(", seed=1", "")))[0] == "5"
    assert drawn(run("", "-o", "mockpacs_seed=9"))[0] == "9"
    assert drawn(run(DRAWS, "-o", "mockpacs_seed=9"))[0] == "1"
    at_random = drawn(run(DRAWS.replace("seed=1", "seed='random'")))
    assert drawn(run("", "--mockpacs-seed", at_random[0])) == at_random


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--mockpacs-seed", "x"], "*a seed is a whole number, not 'x'"),
        (["--mockpacs-port", "0"], "*a port is a number from 1 to 65535, not '0'"),
        (["--mockpacs-keep", "some"], "*invalid choice: 'some' (choose from *"),
        (["-o", "mockpacs_keep=some"], "*mockpacs_keep is one of failed, all, none, not 'some'"),
        (["-o", "mockpacs_seed=x"], "*mockpacs_seed: a seed is a whole number, not 'x'"),
        (["-n2", "--mockpacs-port", "11199"], "*--mockpacs-port is for one process: *"),
    ],
)
def test_what_the_command_line_cannot_mean_is_a_usage_error(arguments: list[str], sentence: str, run: Run) -> None:
    if arguments[0] == "-n2" and not find_spec("xdist"):
        pytest.skip("pytest-xdist is not installed")
    result = run("def test_it(): ...", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([sentence])


def test_the_first_server_of_a_test_takes_the_port_asked_for(run: Run, unused_port: int) -> None:
    result = run(
        """
        from client import echo

        def test_one(mockpacs, make_mockpacs, pytestconfig):
            assert mockpacs.port == pytestconfig.getoption("mockpacs_port")
            assert make_mockpacs().port != mockpacs.port
            assert echo(mockpacs) == 0

        def test_two(make_mockpacs, pytestconfig):
            assert make_mockpacs().port == pytestconfig.getoption("mockpacs_port")
        """,
        "--mockpacs-port",
        str(unused_port),
    )
    result.assert_outcomes(passed=2)


def test_a_port_in_use_is_a_sentence(run: Run, unused_port: int) -> None:
    result = run(
        """
        import socket

        import pytest

        @pytest.fixture(autouse=True)
        def taken(pytestconfig):
            with socket.create_server(("127.0.0.1", pytestconfig.getoption("mockpacs_port"))):
                yield

        def test_one(mockpacs):
            pass
        """,
        "--mockpacs-port",
        str(unused_port),
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{unused_port}*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


def test_two_workers_share_nothing(run: Run, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    result = run(
        """
        import pytest
        from client import store

        @pytest.mark.parametrize("number", range(12))
        def test_it(mockpacs, number):
            assert store(mockpacs, f"1.2.{number}") == 0
            assert mockpacs.archive.counts().instances == 1
            if number == 7:
                mockpacs.when("C-FIND", name="seven").reply("A700")
            assert number != 5
        """,
        "-n2",
    )
    result.assert_outcomes(passed=11, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(["dialogue", "recording  mockpacs show .pytest_cache*", '*"seven"*'])
    assert len(list(pytester.path.joinpath(".pytest_cache/d/mockpacs").rglob("*.pcapng"))) == 2


def test_a_coroutine_uses_it_and_its_loop_goes_on(run: Run) -> None:
    pytest.importorskip("pytest_asyncio", reason="pytest-asyncio is not installed")
    result = run(
        """
        import asyncio
        import pytest
        from client import echo, store

        @pytest.mark.asyncio
        async def test_it(mockpacs, make_mockpacs):
            sent = asyncio.create_task(asyncio.to_thread(store, mockpacs))
            exchange = await mockpacs.async_wait_for("C-STORE", timeout=5)
            assert exchange.service == "C-STORE"
            assert await sent == 0
            await mockpacs.async_verify("C-STORE", count=1)
            assert await asyncio.to_thread(echo, make_mockpacs()) == 0

        @pytest.mark.asyncio
        async def test_complained_of(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")
        """
    )
    result.assert_outcomes(passed=2, errors=1)


def test_unittest_under_pytest(run: Run) -> None:
    result = run(
        """
        import unittest
        import pytest
        from client import echo, store

        class TestSender(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _pacs(self, mockpacs):
                self.pacs = mockpacs

            def test_it(self):
                self.assertEqual(store(self.pacs), 0)
                self.pacs.verify("C-STORE", count=1)

            def test_a_new_one(self):
                self.assertEqual(self.pacs.exchanges, [])

            def test_complained_of(self):
                self.pacs.when("C-STORE", name="full").reply("out-of-resources")

            @pytest.mark.mockpacs("disk-full")
            def test_marked(self):
                self.assertEqual(store(self.pacs), 0xA700)

            def test_fails(self):
                self.assertEqual(echo(self.pacs), 1)

        @pytest.mark.usefixtures("mockpacs")
        class TestUsing(unittest.TestCase):
            def test_it(self):
                pass
        """
    )
    result.assert_outcomes(passed=5, failed=1, errors=1)
    result.stdout.fnmatch_lines_random(['*"full"*', "*dialogue*"])


def test_plain_unittest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_plain="""
        import unittest
        from mockpacs import MockPACS
        from tests.net.wire_client import CONTEXTS, WireClient

        class TestSender(unittest.TestCase):
            def setUp(self):
                self.pacs = self.enterContext(MockPACS(strict=True))

            def test_it(self):
                with WireClient(self.pacs.host, self.pacs.port) as client:
                    client.associate(*CONTEXTS)
                    self.assertEqual(client.echo(), 0)
                    client.release()
                self.pacs.verify("C-ECHO", count=1)

            def test_complained_of(self):
                self.pacs.when("C-STORE", name="full").reply("out-of-resources")
        """
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "unittest", "test_plain"],
        cwd=pytester.path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "Ran 2 tests" in ran.stderr
    assert '"full"' in ran.stderr
    assert "FAILED (failures=1)" in ran.stderr


def test_a_run_that_does_not_use_it_does_not_pay_for_it(pytester: pytest.Pytester) -> None:
    """Only the door of the plugin is imported: nothing of the server, and none of its dependencies."""
    pytester.makepyfile("def test_it(): pass")
    plugin = [] if is_installed() else ["-p", "mockpacs.pytest_plugin"]
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pytest", *plugin, "-q"],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line}
    ours = {name for name in imported if name.partition(".")[0] == "mockpacs"}
    assert "mockpacs.version" in ours  # else the plugin was not even there
    assert ours <= {"mockpacs", "mockpacs.version", "mockpacs.pytest_plugin"}
    assert not imported & {"pydicom", "pydantic", "pynetdicom", "peewee", "starlette"}


def test_it_can_be_left_out(run: Run) -> None:
    if not is_installed():
        pytest.skip("the entry point is not installed")
    result = run("def test_it(mockpacs): ...", "-p", "no:mockpacs")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'mockpacs' not found*"])


def test_help_and_markers_tell_of_it(run: Run) -> None:
    text = run("", "--help").stdout.str()
    assert "--mockpacs-seed=N" in text
    assert "mockpacs_strict" in text
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.mockpacs(?scenarios, seed=, *"])
