"""Files that are no scenarios: an error with a place, never a traceback, and never a long wait."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockpacs.errors import ScenarioError
from mockpacs.scenario import complaint, values
from mockpacs.scenario.condition import When
from mockpacs.scenario.load import load, parse_text
from mockpacs.scenario.model import Scenario
from mockpacs.scenario.reference import SECTIONS
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.step import Step
from mockpacs.scenario.values import meant
from mockpacs.written.yaml_file import LARGEST_FILE

TEXTS = {
    "": ':1:1: the file is empty; a scenario begins with "mockpacs: 1".',
    "# nothing but a remark\n": ':1:1: the file is empty; a scenario begins with "mockpacs: 1".',
    "hello": ":1:1: a scenario is a mapping (key: value), this is not.",
    "- a\n- b\n": ":1:1: a scenario is a mapping (key: value), this is not.",
    "rules: []\n": ':1:1: a scenario needs the version of its language: "mockpacs: 1".',
    "mockpacs: 2\n": ':1:11: "2" is a language version this mockpacs does not know; it reads mockpacs: 1.',
    "mockpacs: 1\nmockpacs: 1\n": ':2:1: "mockpacs" is given twice (first in line 1).',
    "mockpacs: 1\nrules: {}\n": ":2:8: rules is a list, not a mapping.",
    "mockpacs: 1\nrules: [\n": ":3:1: not YAML: ",
    "mockpacs: 1\n\trules: []\n": ":2:1: not YAML: found character '\\t' that cannot start any token.",
    "mockpacs: 1\n--- \nmockpacs: 1\n": ":2:1: a second document; only one is read.",
    "mockpacs: 1\nname: !!python/object/apply:os.system [ls]\n": ':2:7: tags ("tag:yaml.org,2002:python/object/apply:',
    "mockpacs: 1\nname: &a x\nabout: *a\n": ":2:7: anchors and aliases are not read here.",
    "mockpacs: 1\nname: \x00\n": ":2:1: a character YAML does not allow (0x00).",
    "mockpacs: 1\n? [a]\n: b\n": ":2:3: a key must be a word.",
    "mockpacs: 1\nrules: " + "[" * 1000: ":2:31: nested deeper than 24 levels.",
    "a: &a [x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdef", "bcdefg", strict=True)): (
        ":1:4: anchors and aliases are not read here."
    ),
}


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:24]))
def test_what_is_no_scenario_is_refused_with_a_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError) as from_file:
        load([path])
    with pytest.raises(ScenarioError) as from_text:
        parse_text(text, str(path))
    assert str(from_file.value).startswith(f"{path}{TEXTS[text]}")
    assert str(from_text.value) == str(from_file.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x04\x95", ":1:1: not text in UTF-8 (byte 0x80)."),
        (b"mockpacs: 1\nname: M\xfcller\n", ":2:1: not text in UTF-8 (byte 0xFC)."),
        (bytes(range(256)) * 40, ":2:1: not text in UTF-8 (byte 0x80)."),
    ],
)
def test_bytes_that_are_no_text_are_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        load([path])
    assert str(caught.value) == f"{path}{told}"


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ScenarioError) as caught:
        load([path])
    assert str(caught.value) == f"{path}:1:1: larger than {LARGEST_FILE} bytes, which no scenario needs."


def test_a_folder_and_what_is_not_there_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        load([tmp_path, tmp_path / "nowhere.yaml"])
    assert str(caught.value).splitlines() == [
        f"{tmp_path}: cannot be read: Is a directory.",
        f"{tmp_path / 'nowhere.yaml'}: cannot be read: No such file or directory.",
    ]


def filled(head: str, line: str) -> str:
    """A text as long as a file can be."""
    return head + "".join(line.replace("%", str(n)) for n in range((LARGEST_FILE - len(head)) // (len(line) + 4)))


RULES = "mockpacs: 1\nrules:\n"
FULL = {
    "attributes": filled(f"{RULES}- when:\n    service: C-FIND\n    query:\n", "      Ptn%: 1\n"),
    "steps": filled(f"{RULES}- when: {{ service: C-FIND }}\n  then:\n", "  - dealy%\n"),
    "statuses": filled(f"{RULES}- when: {{ service: C-STORE }}\n  then:\n    status:\n", "    - x%\n"),
    "names": filled(f"{RULES}- when: {{ service: C-STORE }}\n  then: reset\n  set:\n", "    a%: b\n"),
    "uids": filled(f"{RULES}- then: reset\n  when:\n    service: C-STORE\n    sop_class:\n", "    - a%\n"),
}


@pytest.mark.parametrize("text", FULL.values(), ids=FULL)
def test_suggestions_are_only_looked_for_when_they_are_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes some milliseconds, and a file can have 30 000 mistakes."""
    asked: list[str] = []

    def counting(word: str, known: object) -> str:
        asked.append(word)
        return meant(word, known)  # type: ignore[arg-type]

    for module in (values, complaint):
        monkeypatch.setattr(module, "meant", counting)
    monkeypatch.setattr("mockpacs.scenario.references.meant", counting)
    monkeypatch.setattr("mockpacs.scenario.status_words.meant", counting)
    with pytest.raises(ScenarioError) as caught:
        parse_text(text)
    assert len(str(caught.value).splitlines()) == complaint.MOST_SHOWN + 1
    assert len(asked) <= 2 * complaint.MOST_SHOWN + 2


def test_thousands_of_rules_are_not_all_compared_with_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    from mockpacs.scenario import reachable

    compared = 0
    implies = reachable.implies

    def counting(*args: object) -> bool:
        nonlocal compared
        compared += 1
        return implies(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reachable, "implies", counting)
    rules = [f"- {{ when: {{ service: C-ECHO, calling: A{n} }}, then: reset }}\n" for n in range(1000)]
    assert len(parse_text(RULES + "".join(rules)).rules) == 1000
    assert compared <= 1000 * reachable.MOST_COMPARED


KEYS = sorted({key for parts in SECTIONS.values() for part in parts for key in part.written()} | {"PatientID", "x"})
VALUES = [
    *("true", "C-STORE", "C-FIND", "any", "release", "success", "A700", "2s", "1kB", "{}", "*", "(", "²", "٣", "-1"),
    *("3..1", "every 0", "1/0s", "99%", "absent", "half-close", "reset", "implicit", "0x", "1e999", "\ud7ff", " "),
]
NODES = st.recursive(
    st.none() | st.sampled_from(VALUES) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(Rule.written(), NODES))
        | st.fixed_dictionaries(
            {
                "when": st.fixed_dictionaries(
                    {"service": st.sampled_from(["C-STORE", "C-FIND", "any"])},
                    optional={key: NODES for key in When.written() if key not in ("service", "event")},
                ),
                "then": NODES | st.dictionaries(st.sampled_from(list(Step.written())), NODES, max_size=3),
            }
        ),
        max_size=3,
    ),
    st.dictionaries(st.sampled_from(list(Scenario.written())), NODES, max_size=3),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_written_is_a_script_or_lines_with_places(rules: list[object], rest: dict[str, object]) -> None:
    text = json.dumps({**rest, "mockpacs": "1", "rules": rules})  # JSON is YAML
    try:
        parse_text(text, "s.yaml", check=lambda _name, _node: [])
    except ScenarioError as error:
        for line in str(error).splitlines():
            assert re.match(r"s\.yaml:\d+:\d+: .*[.?!]$", line), line
