"""Scenarios written in tests, and what the loader says about them."""

from __future__ import annotations

from textwrap import dedent

import pytest

from mockpacs.errors import ScenarioError
from mockpacs.scenario.load import parse_text
from mockpacs.scenario.script import Script


def script(text: str) -> Script:
    """The scenario of a text without its first line."""
    return parse_text(f"mockpacs: 1\n{dedent(text)}", "s.yaml")


def problems(text: str) -> list[str]:
    """The lines of the error about such a scenario; line 2 is the first of the text."""
    with pytest.raises(ScenarioError) as caught:
        script(text)
    return str(caught.value).splitlines()


def problems_of_rules(*rules: str) -> list[str]:
    """The lines of the error about rules of one line each, as ``line:column: sentence``; the first is in line 3."""
    lines = problems("rules:\n" + "".join(f"- {rule}\n" for rule in rules))
    assert all(line.startswith("s.yaml:") for line in lines)
    return [line.removeprefix("s.yaml:") for line in lines]


def problem_of(rule: str) -> str:
    """The one sentence about a rule, without its place."""
    [line] = problems_of_rules(rule)
    return line.split(": ", 1)[1]
