"""Plain values become YAML that every reader takes for the same values, ours above all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockpacs.errors import ConfigurationError
from mockpacs.written.yaml_file import DEEPEST, Items, Mapping, Text, nodes_of, parse
from mockpacs.written.yaml_text import yaml_text

MISTAKEN = [
    "y",
    "n",
    "yes",
    "No",
    "ON",
    "off",
    "true",
    "False",
    "NULL",
    "~",
    "=",
    "<<",
    "0",
    "0110",
    "0980",
    "1e3",
    "1E+3",
]
MISTAKEN += [".5", "5.", "1.5", "-1", "+1", "1_000", "1,000", "0x1F", "0o17", "0b11", ".inf", "-.INF"]
MISTAKEN += [".NaN", "12:30", "1:2:3.4", "2024-01-01", "2024-01-01T10:00:00Z"]
PLAIN = [
    "A700",
    "CT*",
    "1.2.840.10008.1.2",
    "64kB/s",
    "20%",
    "5..",
    "2..4",
    "every 10",
    "a b",
    "é",
    "Doe^Jane",
    "C-STORE",
]
QUEER = [
    "",
    " ",
    "a: b",
    "a #b",
    "# a",
    "- a",
    "? a",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "'a'",
    '"a"',
    "[a",
    "{a",
    "a,b",
    "\\",
]
QUEER += [
    "\t",
    "\0\x1b\x7f",
    "a\nb",
    "a\n",
    "\n",
    "\n\na",
    " a\nb ",
    "a\r\nb",
    "\u2028",
    "\ufeff",
    "...",
    "---",
    "a" * 300,
    "a b " * 99,
]
texts = st.one_of(st.sampled_from([*MISTAKEN, *PLAIN, *QUEER]), st.text(st.characters(exclude_categories=["Cs"])))
values = st.recursive(
    texts, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@pytest.mark.parametrize("text", MISTAKEN)
def test_what_a_reader_may_take_for_something_else_is_quoted(text: str) -> None:
    assert yaml_text({"key": [text]}) == f'{{ key: ["{text}"] }}\n'


@pytest.mark.parametrize("text", PLAIN)
def test_what_nobody_mistakes_is_not(text: str) -> None:
    assert yaml_text({"key": text}) == f"{{ key: {text} }}\n"


@given(values)
def test_texts_come_back_from_our_reader_and_from_others(value: Any) -> None:
    text = yaml_text(value)
    assert parse(text, "x.yaml") == value
    assert yaml.safe_load(text) == value


def test_bytes_and_tagged_texts_keep_their_tag() -> None:
    text = yaml_text({"send": b"\x99\x00", "again": Text("no", "p:1:1", "!bytes"), "none": b""})
    assert text == '{ send: !bytes "99 00", again: !bytes "no", none: !bytes "" }\n'
    read = parse(text, "x.yaml", ("!bytes",))
    assert isinstance(read, Mapping)
    assert [(str(one), one.tag) for one in read.values()] == [("99 00", "!bytes"), ("no", "!bytes"), ("", "!bytes")]


def test_numbers_truths_and_nothing_are_plain() -> None:
    said = {"a": 5, "b": 0.4, "c": True, "d": None, "e": 1e-5, "f": Path("x/y"), "g": ()}
    assert yaml_text([said, 1]) == "- { a: 5, b: 0.4, c: true, d: null, e: 1.0e-05, f: x/y, g: [] }\n- 1\n"


def test_what_fits_a_line_is_in_one() -> None:
    rule = {
        "when": {"service": "C-STORE", "calling": ["CT*", "MR*"]},
        "then": {"status": "0110", "comment": "no: not now"},
    }
    assert (
        yaml_text({"name": "x", "about": "One.\nTwo.\n", "rules": [rule, {"then": "abort"}]})
        == """\
name: x
about: |
  One.
  Two.
rules:
  - when: { service: C-STORE, calling: [CT*, MR*] }
    then: { status: "0110", comment: "no: not now" }
  - { then: abort }
"""
    )


def test_what_is_no_part_of_yaml_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^object cannot be written as YAML$"):
        yaml_text({"a": [object()]})


def test_python_values_become_nodes_with_a_place() -> None:
    kept = Text("kept", "k:1:1")
    node = nodes_of({"a": ["x", 5, True, None, b"\x01", kept], 0x00100010: Path("p")}, "t.py:3")
    assert isinstance(node, Mapping)
    assert isinstance(node["a"], Items)
    assert node == {"a": ["x", 5, True, None, "01", "kept"], 0x00100010: "p"}
    assert {getattr(one, "place", "") for one in (node, node["a"], node["a"][0], next(iter(node)))} == {"t.py:3"}
    assert node["a"][4].tag == "!bytes"
    assert node["a"][5] is kept
    assert nodes_of(node, "other") is node


def test_what_holds_itself_is_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    with pytest.raises(ConfigurationError, match=rf"^t\.py:3: nested deeper than {DEEPEST} levels$"):
        nodes_of(deep, "t.py:3")
