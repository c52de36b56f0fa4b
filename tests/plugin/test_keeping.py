"""Recordings of tests: whose are kept, where, and that yesterday's do not lie beside today's."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockpacs.plugin.keeping import name_of, plain
from tests.plugin.conftest import Run

TEXT = """
    import pytest
    from client import echo

    SEEN = []

    def test_passes(mockpacs):
        echo(mockpacs)
        assert mockpacs.recording.exists()

    @pytest.mark.parametrize("title", ["a/b", "c"])
    def test_fails(mockpacs, make_mockpacs, title):
        echo(mockpacs)
        echo(make_mockpacs(name="DEST"))
        assert False

    def test_is_complained_of(mockpacs):
        mockpacs.when("C-ECHO", calling="NOBODY").reply("A700")
        echo(mockpacs)

    @pytest.mark.xfail
    def test_is_expected_to_fail(mockpacs):
        assert False
    """


def kept(pytester: pytest.Pytester, below: str = ".pytest_cache/d/mockpacs") -> list[str]:
    folder = pytester.path / below
    return sorted(str(path.relative_to(folder).parent) for path in folder.rglob("*.pcapng"))


def test_by_itself_those_of_failed_tests_are_kept(run: Run, pytester: pytest.Pytester) -> None:
    result = run(TEXT)
    result.assert_outcomes(passed=2, failed=2, errors=1, xfailed=1)
    ids = ("test_sender.py::test_fails[a/b]", "test_sender.py::test_fails[c]", "test_sender.py::test_is_complained_of")
    first, second, third = map(name_of, ids)
    assert kept(pytester) == sorted([first, f"{first}/DEST".replace("DEST", "DEST"), second, f"{second}/DEST", third])
    folders = {path.name for path in (pytester.path / ".pytest_cache/d/mockpacs").iterdir()}
    assert folders == {first, second, third}
    for line in (line for line in result.stdout.lines if line.startswith("recording ")):
        assert Path(pytester.path, line.split()[-1]).read_bytes()[:4] == b"\n\r\r\n"


def test_the_folder_of_a_test_is_emptied_at_its_start(run: Run, pytester: pytest.Pytester) -> None:
    run(TEXT)
    before = kept(pytester)
    run("")
    assert kept(pytester) == before
    run(TEXT.replace("assert False", "assert True"))
    assert kept(pytester) == [name_of("test_sender.py::test_is_complained_of")]


@pytest.mark.parametrize("how", ["option", "ini"])
def test_all_or_none_can_be_kept(how: str, run: Run, pytester: pytest.Pytester) -> None:
    def arguments(keep: str) -> list[str]:
        return [f"--mockpacs-keep={keep}"] if how == "option" else ["-o", f"mockpacs_keep={keep}"]

    run(TEXT, *arguments("all"))
    assert len(kept(pytester)) == 6  # nobody connected to the one that is expected to fail
    run("", "--cache-clear", *arguments("none"))
    assert kept(pytester) == []


def test_what_a_test_wants_of_its_recording_is_left_to_it(run: Run, pytester: pytest.Pytester) -> None:
    result = run(
        """
        import pytest
        from client import echo

        @pytest.mark.mockpacs(recordings="mine")
        def test_own_folder(mockpacs):
            echo(mockpacs)

        @pytest.mark.mockpacs(record=False)
        def test_none(mockpacs):
            assert mockpacs.recording is None
            echo(mockpacs)
            assert False
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["recording  not kept"])
    assert len(kept(pytester, "mine")) == 1
    assert kept(pytester) == []


def test_without_a_cache_it_is_the_temporary_folder(run: Run, pytester: pytest.Pytester) -> None:
    result = run(TEXT, "-p", "no:cacheprovider", "--basetemp=temporary")
    result.assert_outcomes(passed=2, failed=2, errors=1, xfailed=1)
    assert len(kept(pytester, "temporary/mockpacs")) == 5
    assert not pytester.path.joinpath(".pytest_cache").exists()


def test_names_of_folders_are_plain_short_and_different() -> None:
    ids = ["a::b[x/y]", "a::b[x y]", "a::b[../../etc]", f"a::b[{'x' * 500}]", "a::ü", "a::b[\x1b]"]
    names = [name_of(one) for one in ids]
    assert len(set(names)) == len(names)
    for name in names:
        assert len(name) < 100
        assert name.isascii()
        assert not set(name) & set("/\\:[]\x1b ")
        assert ".." not in Path(name).parts
    assert plain("../x") == "x"
    assert plain("..") == "server"
