"""Plain values as YAML that people like to read: blocks, with small mappings and lists in one line.

It never writes what our reader of YAML refuses, and quotes whatever any reader of YAML may take for something else: the
text ``no``, ``0110``, ``1e3`` or ``~`` stays a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import yaml

WIDTH: Final = 100
LONGEST_IN_A_LINE: Final = 88
"""Characters of a mapping or list that is written in one line."""

_MISTAKEN: Final = re.compile(
    r"y|n|yes|no|on|off|true|false|null|~|=|<<|[-+]?\.inf|\.nan"  # truths, nothing, signs
    r"|[-+]?[0-9_,]*\.?[0-9_]*(?:e[-+]?[0-9]+)?|[-+]?0[box][0-9a-f_]+"
    r"|[-+]?[0-9_]+(?::[0-9]+)+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[T\s].*)?",  # times and dates
    re.IGNORECASE | re.DOTALL,
)
"""Texts that some version of YAML takes for a number, a moment, a truth or for nothing."""


def yaml_text(value: Any) -> str:
    """The text of mappings, lists, tuples, texts, bytes, numbers, truths and None; a text with a tag keeps it.

    Raises TypeError for anything else.
    """
    try:
        text: str = yaml.dump(value, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=WIDTH)
    except yaml.representer.RepresenterError as error:
        raise TypeError(f"{type(error.args[-1]).__name__} cannot be written as YAML") from error
    return text.removesuffix("...\n")  # the mark behind a document that is one scalar


class _Writer(yaml.SafeDumper):
    """Writes ``{ key: value }`` with blanks, lists further in than their key, double quotes and no anchors."""

    _opened = (0, 0)  # where the last brace was opened

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True  # what is there twice is written twice: our reader knows no anchors

    def choose_scalar_style(self) -> str:
        style: str = super().choose_scalar_style()
        is_short = isinstance(self.event, yaml.ScalarEvent) and len(self.event.value) < WIDTH
        return '"' if style == "'" and is_short else style  # the other one breaks lines well

    def write_indicator(
        self, indicator: str, need_whitespace: bool, whitespace: bool = False, indention: bool = False
    ) -> None:
        if indicator == "{":
            super().write_indicator(indicator, need_whitespace)
            self._opened = (self.line, self.column)
        elif indicator == "}":
            super().write_indicator(indicator, self._opened != (self.line, self.column))
        else:
            super().write_indicator(indicator, need_whitespace, whitespace, indention)


def _str(writer: _Writer, value: str) -> yaml.Node:
    text = str(value)
    if tag := getattr(value, "tag", ""):
        return writer.represent_scalar(tag, text, style='"')
    if "\n" in text.rstrip("\n") and all(line == line.rstrip() for line in text.split("\n")):
        return writer.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    is_mistaken = _MISTAKEN.fullmatch(text) is not None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_mistaken else None)


def _bytes(writer: _Writer, value: bytes) -> yaml.Node:
    return writer.represent_scalar("!bytes", value.hex(" "), style='"')


def _mapping(writer: _Writer, value: Mapping[Any, Any]) -> yaml.Node:
    node: yaml.MappingNode = writer.represent_mapping("tag:yaml.org,2002:map", dict(value).items())
    node.flow_style = _is_short(node)
    return node


def _sequence(writer: _Writer, value: Sequence[Any]) -> yaml.Node:
    node: yaml.SequenceNode = writer.represent_sequence("tag:yaml.org,2002:seq", list(value))
    node.flow_style = _is_short(node)
    return node


def _is_short(node: yaml.Node) -> bool:
    """Whether it fits a line, and is no list of mappings, of which each deserves a line."""
    if isinstance(node, yaml.SequenceNode) and any(isinstance(one, yaml.MappingNode) for one in node.value):
        return False
    return sum(map(_length, _parts(node))) <= LONGEST_IN_A_LINE


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value)


def _length(node: yaml.Node) -> int:
    """About how many characters it takes in a line, with what stands between it and the next; too many if it cannot."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value) + 2 if node.style != "|" else LONGEST_IN_A_LINE
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return LONGEST_IN_A_LINE
    return 4 + sum(map(_length, _parts(node)))


_REPRESENTED: Final[tuple[tuple[type, Any], ...]] = (
    (str, _str),
    (bytes, _bytes),
    (dict, _mapping),
    (list, _sequence),
    (tuple, _sequence),
)
for _kind, _represent in _REPRESENTED:
    _Writer.add_representer(_kind, _represent)
    _Writer.add_multi_representer(_kind, _represent)
_Writer.add_multi_representer(float, lambda writer, value: writer.represent_float(float(value)))
_Writer.add_multi_representer(int, lambda writer, value: writer.represent_int(int(value)))
_Writer.add_multi_representer(PurePath, lambda writer, value: _str(writer, str(value)))
