"""The reference of the language: it is current, and nothing is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mockpacs.scenario.moments import EVENT_STEPS, MOMENT_STEPS
from mockpacs.scenario.part import Part
from mockpacs.scenario.reference import SECTIONS, document, title
from mockpacs.scenario.schema import parts_of
from mockpacs.scenario.values import EVENTS, PER_WORDS, status_names

FILE = Path(__file__).parents[2] / "docs" / "scenario-reference.md"
PARTS = [part for parts in SECTIONS.values() for part in parts]


def test_the_document_is_what_the_model_says() -> None:
    """When this fails: make docs."""
    assert FILE.read_text(encoding="utf-8") == document()


def section(part: type[Part]) -> str:
    _, _, rest = document().partition(f"\n### {title(part)}\n")
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_key_of_every_part_has_a_row(part: type[Part]) -> None:
    inherited = {name for base in part.__mro__[1:] if base in PARTS for name in getattr(base, "model_fields", ())}
    keys = [key for key, name in part.written().items() if name not in inherited]
    assert [key for key in keys if f"\n| `{key}` |" not in section(part)] == []
    assert "|  |  |" not in section(part)


def test_no_part_is_left_out() -> None:
    assert {inner for part in PARTS for inner in parts_of(part)} <= set(PARTS)


def test_every_status_event_moment_and_key_to_count_by_is_there() -> None:
    told = document()
    words = [*status_names(), *PER_WORDS]
    assert [word for word in words if f"`{word}`" not in told] == []
    assert [event for event in EVENTS if f"\n| {event} |" not in told] == []
    assert "| step | " + " | ".join(map(str, MOMENT_STEPS)) + " |" in told
    assert "| step | " + " | ".join(EVENT_STEPS) + " |" in told


def test_every_link_inside_the_document_leads_somewhere() -> None:
    told = document()
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in told.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", told)) - headings == set()
