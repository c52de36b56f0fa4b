"""What a test gets: servers of its own, as the marker and the factory's keywords say."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

SCENARIO = """
mockpacs: 1
name: Full
rules:
  - { name: full, when: { service: C-STORE }, then: { status: A700 } }
"""


def test_a_test_needs_no_import_and_has_a_server_of_its_own(run: Run) -> None:
    result = run(
        """
        from client import echo, store

        SEEN = []

        def test_one(mockpacs):
            assert store(mockpacs) == 0
            mockpacs.verify("C-STORE", count=1)
            assert mockpacs.archive.counts().instances == 1
            SEEN.append(mockpacs)

        def test_two(mockpacs):
            assert mockpacs.archive.counts().instances == 0
            assert mockpacs.exchanges == []
            assert mockpacs is not SEEN[0]
            assert mockpacs.port != 11112
            assert mockpacs.options.memory
            assert echo(mockpacs) == 0

        class TestIt:
            def test_three(self, mockpacs, make_mockpacs):
                assert echo(mockpacs) == 0
        """
    )
    result.assert_outcomes(passed=3)


def test_the_marker_says_how_the_server_is(run: Run, pytester: pytest.Pytester) -> None:
    pytester.mkdir("tests")
    pytester.path.joinpath("full.yaml").write_text(SCENARIO)
    pytester.path.joinpath("tests", "beside.yaml").write_text(SCENARIO.replace("A700", "A900"))
    pytester.path.joinpath("tests", "both.yaml").write_text(SCENARIO.replace("A700", "A900"))
    pytester.path.joinpath("both.yaml").write_text(SCENARIO)
    pytester.path.joinpath("tests", "test_marked.py").write_text(
        """
import pytest
from client import echo, store
from pathlib import Path

@pytest.mark.mockpacs("full.yaml", seed=7, aet="FULL", max_pdu=8192)
def test_rootdir(mockpacs):
    assert store(mockpacs) == 0xA700
    assert (mockpacs.aet, mockpacs.options.max_pdu, mockpacs.rules.seed) == ("FULL", 8192, 7)

@pytest.mark.mockpacs("beside.yaml")
def test_beside(mockpacs):
    assert store(mockpacs) == 0xA900

@pytest.mark.mockpacs("both.yaml")
def test_beside_is_first(mockpacs):
    assert store(mockpacs) == 0xA900

@pytest.mark.mockpacs(Path(__file__).parent / "beside.yaml")
def test_path(mockpacs):
    assert store(mockpacs) == 0xA900

@pytest.mark.mockpacs("disk-full")
def test_shipped(mockpacs):
    assert store(mockpacs) == 0xA700

@pytest.mark.mockpacs(scenario=["disk-full"])
def test_option(mockpacs):
    assert store(mockpacs) == 0xA700

@pytest.mark.mockpacs("beside.yaml", aet="OUTER", seed=1)
class TestMarked:
    @pytest.mark.mockpacs("../full.yaml", aet="INNER")
    def test_the_nearest_is_stronger(self, mockpacs):
        assert store(mockpacs) == 0xA700
        assert (mockpacs.aet, mockpacs.rules.seed, len(mockpacs.rules)) == ("INNER", 1, 2)
""".replace("name: full", "")
    )
    pytester.path.joinpath("tests", "beside.yaml").write_text(
        SCENARIO.replace("A700", "A900").replace("name: full", "name: beside")
    )
    result = run("", "--strict-markers", "tests")
    result.assert_outcomes(passed=7)


def test_what_cannot_be_is_a_sentence_and_no_traceback(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.mockpacs(sead=7)
        def test_option(mockpacs): ...

        @pytest.mark.mockpacs(strict="no")
        def test_strict(mockpacs): ...

        @pytest.mark.mockpacs(port=70000)
        def test_value(mockpacs): ...

        @pytest.mark.mockpacs("disk-ful")
        def test_name(mockpacs): ...

        @pytest.mark.mockpacs("disk.yaml")
        def test_file(mockpacs): ...

        @pytest.mark.mockpacs(7)
        def test_number(mockpacs): ...
        """,
        "-rE",
    )
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines(
        [
            '@pytest.mark.mockpacs: there is no option "sead"; did you mean "seed"?',
            '@pytest.mark.mockpacs: strict is True or False, not "no"',
            "port: 70000 is not a whole number from 0 to 65535*",
            'unknown scenario "disk-ful". Did you mean "disk-full"?',
            '@pytest.mark.mockpacs: there is no scenario "disk.yaml" in *',
            "@pytest.mark.mockpacs: 7 is not a scenario; *",
            "ERROR test_sender.py::test_option - Failed: @pytest.mark.mockpacs: there is no option*",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_factory_makes_several(run: Run) -> None:
    result = run(
        """
        import pytest
        from client import echo, store

        def test_two(make_mockpacs):
            archive = make_mockpacs("disk-full", name="ARCHIVE")
            destination = make_mockpacs(name="DEST", max_pdu=8192)
            third = make_mockpacs()
            assert [one.aet for one in (archive, destination, third)] == ["ARCHIVE", "DEST", "MOCKPACS3"]
            assert destination.options.max_pdu == 8192
            assert len({one.port for one in (archive, destination, third)}) == 3
            assert store(archive) == 0xA700
            assert store(destination) == 0

        def test_with_the_other(mockpacs, make_mockpacs):
            other = make_mockpacs(aet="OTHER")
            assert (mockpacs.aet, other.aet) == ("MOCKPACS", "OTHER")
            assert echo(mockpacs) == echo(other) == 0

        @pytest.mark.mockpacs(seed=9)
        def test_what_the_marker_says_holds(make_mockpacs):
            assert make_mockpacs("busy").rules.seed == 9
            assert make_mockpacs("busy", seed=8).rules.seed == 8

        def test_names_differ(make_mockpacs):
            make_mockpacs(name="A")
            with pytest.raises(Exception, match="this test has a server called 'A' already"):
                make_mockpacs(name="A")

        def test_wrong(make_mockpacs):
            make_mockpacs(sead=1)
        """
    )
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*make_mockpacs(sead=1)",
            'E*ConfigurationError: make_mockpacs(): there is no option "sead"; did you mean "seed"?',
        ]
    )
    result.stdout.no_fnmatch_line("*servers.py*")


def test_all_are_gone_after_the_test(run: Run) -> None:
    result = run(
        """
        import socket
        import threading
        import pytest

        SEEN = []

        def test_one(mockpacs, make_mockpacs):
            SEEN.extend([mockpacs.port, make_mockpacs().port])

        @pytest.mark.xfail(strict=True)
        def test_fails(mockpacs):
            SEEN.append(mockpacs.port)
            raise ValueError

        def test_stops_it_itself(mockpacs):
            SEEN.append(mockpacs.port)
            mockpacs.stop()

        def test_last():
            assert len(SEEN) == 4
            for port in SEEN:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port), timeout=5)
            assert [one for one in threading.enumerate() if one.name.startswith("mockpacs")] == []
        """
    )
    result.assert_outcomes(passed=3, xfailed=1)
