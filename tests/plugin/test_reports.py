"""What a failure says, as golden files: a reader must be able to tell from the text alone what to change.

After a wanted change of words: MOCKPACS_RENEW_GOLDEN=1 pytest tests/plugin/test_reports.py, and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

import pytest

from tests.plugin.conftest import Run

GOLDEN: Final = Path(__file__).parent / "golden"
MASKS: Final = (
    (r"\d\d:\d\d:\d\d\.\d\d\d", "HH:MM:SS.mmm"),
    (r" +\d+(\.\d+)? m?s$", "  N ms"),
    (r"(127\.0\.0\.1):\d+", r"\1:PORT"),
    (r"\d{8}-\d{6}[a-z]*\.pcapng", "STAMP.pcapng"),
    (r" in \d+\.\d+s", " in N s"),
    (r"0x[0-9a-f]{6,}", "0xADDRESS"),
    (r"=+ (.*?) =+$", r"== \1 =="),
    (r"^[.EFsx]+ +\[ *\d+%\]\n", ""),
    (r"^ *[~^]+\n", ""),
)
CASES: Final = {
    "assertion": """
        import pytest
        from client import echo, store

        @pytest.mark.mockpacs("retry.yaml")
        def test_it_asserts(mockpacs):
            echo(mockpacs)
            assert store(mockpacs) == 0
        """,
    "verify": """
        from client import store

        def test_it_verifies(mockpacs):
            store(mockpacs, calling="MR01")
            mockpacs.verify("C-STORE", calling="CT*", count=1)
        """,
    "wait": """
        from client import echo

        def test_it_waits(mockpacs):
            echo(mockpacs)
            mockpacs.wait_for("C-STORE", timeout=0.01)
        """,
    "wrong_rule": """
        def test_a_rule_cannot_be(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resorces")
        """,
    "never_fired": """
        from client import find, store

        def test_a_rule_is_not_met(mockpacs):
            mockpacs.when("C-FIND", calling="CT*", query={"PatientName": "ROE*"}).reply("out-of-resources")
            find(mockpacs)
        """,
    "unmet": """
        import pytest
        from client import store

        @pytest.mark.mockpacs("retry.yaml")
        def test_it_does_not_retry(mockpacs):
            assert store(mockpacs) == 0xA700
        """,
    "handler": """
        from client import find

        def test_a_handler_raises(mockpacs):
            @mockpacs.on("C-FIND")
            def answers(request):
                return [{"PatientName": NAMES["DOE"]}]

            find(mockpacs)
        """,
    "protocol": """
        from client import hang_up

        def test_the_client_hangs_up(mockpacs):
            hang_up(mockpacs)
        """,
    "unfinished": """
        from client import echo

        def test_a_rule_has_no_end(mockpacs):
            mockpacs.when("C-STORE")
            echo(mockpacs)
        """,
    "several": """
        from client import store

        def test_two_servers(make_mockpacs):
            archive, destination = make_mockpacs(name="ARCHIVE"), make_mockpacs(name="DEST")
            destination.when("C-STORE").reply("out-of-resources")
            store(archive)
        """,
    "failed_and_wrong": """
        from client import echo

        def test_it_fails_and_more_is_wrong(mockpacs):
            mockpacs.when("C-STORE", calling="CT*", name="full").reply("out-of-resources")
            assert echo(mockpacs, calling="MR01") == 1
        """,
    "in_setup": """
        import pytest
        from client import echo

        @pytest.fixture
        def sender(mockpacs):
            echo(mockpacs)
            raise ValueError("no sender")

        def test_it(sender):
            pass
        """,
}
RETRY = """
mockpacs: 1
name: Retry
rules:
  - name: never for us
    when: { service: C-STORE, calling: NOBODY }
    then: { status: A900 }
  - name: refused once
    when: { service: C-STORE }
    per: SOPInstanceUID
    sequence: [{ status: A700 }, { status: success }]
expect:
  - { service: C-STORE, status: success, count: 1 }
"""


def masked(text: str) -> str:
    """Without what differs from run to run."""
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.mark.parametrize("name", CASES)
def test_a_failure_says_what_to_change(name: str, run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("retry.yaml").write_text(RETRY)
    result = run(CASES[name], "-p", "no:randomly")
    text = masked(result.stdout.str())
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("MOCKPACS_RENEW_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
    assert str(pytester.path) not in text
    assert "/mockpacs/" not in text.replace("d/mockpacs/", "")  # no line of ours, only the test's
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_there_is_no_golden_file_without_a_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_a_file_of_results_has_the_account_too(run: Run, pytester: pytest.Pytester) -> None:
    run(CASES["verify"], "--junitxml=results.xml", "--show-capture=no")
    text = pytester.path.joinpath("results.xml").read_text(encoding="utf-8")
    assert "dialogue" in text
    assert ".pcapng" in text


def test_a_long_dialogue_is_cut_unless_more_is_asked_for(run: Run) -> None:
    text = """
        from client import talking

        def test_many(mockpacs):
            with talking(mockpacs) as client:
                for _ in range(300):
                    client.echo()
            assert False
        """
    assert len(run(text).stdout.lines) < 60
    assert len(run("", "-vvv").stdout.lines) > 300


def test_many_complaints_are_cut(run: Run) -> None:
    text = """
        from client import echo

        def test_many(mockpacs):
            for number in range(200):
                mockpacs.when("C-STORE", name=f"rule of {number}").reply("out-of-resources")
            echo(mockpacs)
            assert VALUE
        """
    result = run(text.replace("VALUE", "False"))
    assert len(result.stdout.lines) < 120
    result.stdout.fnmatch_lines(["  and * lines more"])
    result = run(text.replace("VALUE", "True"))
    assert len(result.stdout.lines) < 120
    result.stdout.fnmatch_lines(["and 190 more complaints"])


def test_a_bad_option_shows_the_line_of_the_test_and_none_of_ours(run: Run) -> None:
    result = run("""
        def test_wants_a_peer(make_mockpacs):
            make_mockpacs(peer="WS")
        """)
    result.stdout.fnmatch_lines(['*make_mockpacs(peer="WS")', "E *InvalidOptionsError: *", "test_sender.py:*"])
    shown = result.stdout.str()
    assert '"WS" is not a peer: write AET=HOST:PORT' in shown
    assert not [name for name in ("servers.py", "app.py", "options.py", "dataclasses.py", "<string>") if name in shown]


def test_all_lines_of_an_error_are_there_for_those_who_ask(run: Run) -> None:
    result = run(CASES["verify"], "--full-trace")
    result.stdout.fnmatch_lines(["*steering.py:*"])
