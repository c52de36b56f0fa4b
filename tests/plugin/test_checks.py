"""What is checked when a test ends, and how not to have it checked."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run


def test_what_is_well_passes(run: Run, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("met.yaml").write_text(
        "mockpacs: 1\nrules:\n  - { when: { service: C-STORE }, times: 1, then: { status: A700 } }\n"
        "  - { name: unused, when: { service: C-FIND }, then: { status: A700 } }\n"
        "expect:\n  - { service: C-STORE, count: 2 }\n"
    )
    result = run(
        """
        import pytest
        from client import find, store

        @pytest.mark.mockpacs("met.yaml")
        def test_a_rule_of_a_file_need_not_fire(mockpacs):
            assert [store(mockpacs), store(mockpacs)] == [0xA700, 0]

        def test_rules(mockpacs):
            mockpacs.when("C-FIND").reply("out-of-resources")

            @mockpacs.on("C-STORE")
            def stored(request):
                return None

            assert find(mockpacs)[-1] == 0xA700
            assert store(mockpacs) == 0

        def test_after_a_reset_nothing_is_wrong(mockpacs):
            mockpacs.when("C-FIND").reply("out-of-resources")
            mockpacs.reset()
        """
    )
    result.assert_outcomes(passed=3)


def test_strict_is_turned_off_by_the_marker_the_factory_and_the_ini_file(run: Run, pytester: pytest.Pytester) -> None:
    text = """
        import pytest

        @pytest.mark.mockpacs(strict=False)
        def test_marker(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")

        def test_factory(make_mockpacs):
            make_mockpacs(strict=False).when("C-STORE").reply("out-of-resources")

        def test_neither(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")
        """
    run(text).assert_outcomes(passed=3, errors=1)
    run("", "-o", "mockpacs_strict=false").assert_outcomes(passed=3)


def test_findings_are_allowed_one_by_one(run: Run) -> None:
    text = """
        import pytest
        from client import hang_up

        @pytest.mark.mockpacs(allow=["closed-without-release"])
        def test_marker(mockpacs):
            hang_up(mockpacs)

        @pytest.mark.mockpacs(allow="closed-*")
        def test_pattern(mockpacs):
            hang_up(mockpacs)

        @pytest.mark.mockpacs(allow=["closed-without-release"])
        def test_after_a_reset(mockpacs):
            mockpacs.reset()
            hang_up(mockpacs)

        def test_in_the_test(mockpacs):
            mockpacs.allow("*")
            hang_up(mockpacs)

        def test_factory(make_mockpacs):
            hang_up(make_mockpacs(allow=["closed-without-release"]))

        def test_not(mockpacs):
            hang_up(mockpacs)
        """
    run(text).assert_outcomes(passed=6, errors=1)
    run("", "-o", "mockpacs_allow=closed-without-release").assert_outcomes(passed=6)


def test_a_test_that_failed_or_skipped_itself_is_not_blamed_twice(run: Run) -> None:
    result = run(
        """
        import pytest

        def test_fails(mockpacs):
            mockpacs.when("C-STORE", name="full").reply("out-of-resources")
            assert False

        def test_skips(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")
            pytest.skip("no")

        @pytest.mark.xfail
        def test_is_expected_to(mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")
            assert False
        """
    )
    result.assert_outcomes(failed=1, skipped=1, xfailed=1)
    result.stdout.fnmatch_lines(["*mockpacs MOCKPACS*", "also", '*"full"*'])


def test_a_server_that_the_test_stopped_is_checked_too(run: Run) -> None:
    result = run(
        """
        def test_stops(mockpacs):
            mockpacs.when("C-STORE", name="full").reply("out-of-resources")
            mockpacs.stop()
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(['*"full"*'])


def test_a_server_that_the_test_stopped_is_told_of_too(run: Run) -> None:
    result = run(
        """
        from client import echo

        def test_without_rules(mockpacs):
            echo(mockpacs)
            mockpacs.stop()
            assert False

        def test_with_a_rule(mockpacs):
            mockpacs.when("C-STORE", name="full").reply("out-of-resources")
            mockpacs.stop()
            assert False
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["dialogue", "*C-ECHO*", "dialogue", '*"full"*'])


def test_the_first_line_names_the_complaint_in_the_summary(run: Run) -> None:
    result = run(
        """
        def test_it(mockpacs):
            mockpacs.when("C-STORE", name="full").reply("out-of-resources")
        """,
        "-rE",
    )
    result.stdout.fnmatch_lines(["ERROR test_sender.py::test_it - *full*"])


def test_a_client_of_a_fixture_may_end_its_work_before_the_check(run: Run) -> None:
    result = run(
        """
        import pytest
        from client import store

        @pytest.fixture
        def late(mockpacs):
            yield
            store(mockpacs)

        def test_it(late, mockpacs):
            mockpacs.when("C-STORE").reply("out-of-resources")
        """
    )
    result.assert_outcomes(passed=1)


def test_an_allowance_of_nothing_is_told_once(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.mockpacs(allow=["closed-without-relase"])
        def test_it(mockpacs):
            pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    lines = [line for line in result.stdout.lines if line.startswith("allow: there is no finding")]
    assert lines == ['allow: there is no finding "closed-without-relase"; did you mean "closed-without-release"?']
