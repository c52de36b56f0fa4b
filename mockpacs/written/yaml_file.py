"""A YAML file as text with places: scalars stay text, every part knows its file:line:column, nothing is ever executed.

Anchors, aliases, unknown tags and duplicate keys are errors: nobody needs them here, and bombs are made of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from collections.abc import Mapping as AnyMapping
from pathlib import Path, PurePath
from typing import Any

import yaml

from mockpacs.errors import ConfigurationError
from mockpacs.written.kinds import quoted

LARGEST_FILE = 256 * 1024  # bytes
DEEPEST = 24


class Text(str):
    """A scalar, where it stands, and its tag: "" but for those a reader asked for."""

    __slots__ = ("place", "tag")
    place: str
    tag: str

    def __new__(cls, text: str, place: str, tag: str = "") -> Text:
        """Text at a place."""
        self = super().__new__(cls, text)
        self.place = place
        self.tag = tag
        return self


class Items(list[Any]):
    """A sequence and where it begins."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place


class Mapping(dict[str, Any]):
    """A mapping and where it begins; its keys are `Text`."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place


Node = Text | Items | Mapping | None


def read_mapping(path: Path, *, what: str = "configuration", tags: Container[str] = ()) -> Mapping:
    """The mapping a file holds; an empty file is an empty one. Raises `ConfigurationError` with a place.

    ``what`` is the word for such a file in a complaint; ``tags`` are those a scalar may have, such as ``!bytes``.
    """
    root = parse(_contents(path, what), str(path), tags)
    if root is None:
        return Mapping(str(path))
    if not isinstance(root, Mapping):
        raise ConfigurationError(f"{root.place}: a {what} is a mapping (key: value), this is not")
    return root


def _contents(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > LARGEST_FILE:
        line = data.count(b"\n") + 1
        raise ConfigurationError(f"{path}:{line}:1: larger than {LARGEST_FILE} bytes, which no {what} needs")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}:1: not text in UTF-8 (byte 0x{data[error.start]:02X})") from error
    return text


def nodes_of(value: Any, place: str, depth: int = 0) -> Any:
    """Values made in Python as nodes at one place: texts, bytes (tagged ``!bytes``), paths, lists and mappings.

    What is a node already is kept, and so are numbers, truths and whatever is no part of YAML: they are read as what
    they are. Raises `ConfigurationError` for what is nested too deeply.
    """
    if depth > DEEPEST:
        raise ConfigurationError(f"{place}: nested deeper than {DEEPEST} levels")
    match value:
        case Text() | Items() | Mapping():
            return value
        case str():
            return Text(str.__str__(value), place)
        case PurePath():
            return Text(str(value), place)
        case bytes():
            return Text(value.hex(" "), place, "!bytes")
        case list() | tuple() | set() | frozenset():
            items = Items(place)
            items.extend(nodes_of(one, place, depth + 1) for one in value)
            return items
        case AnyMapping():
            mapping = Mapping(place)
            for key, one in value.items():
                mapping[Text(str.__str__(key), place) if isinstance(key, str) else key] = nodes_of(
                    one, place, depth + 1
                )
            return mapping
    return value


def parse(text: str, name: str, tags: Container[str] = ()) -> Node:
    """The value in a YAML text; ``name`` is what places begin with, ``tags`` are those a scalar may have."""
    try:
        return _Builder(name, tags).build(yaml.parse(text, Loader=yaml.BaseLoader))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(
            f"{name}:{line}:1: a character YAML does not allow (0x{error.character:02X})"
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _place(name, mark) if mark else name
        raise ConfigurationError(f"{place}: not YAML: {error.problem or error.context}") from error


def _place(name: str, mark: Any) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}"


class _Builder:
    """Builds the tree from parser events with a stack of its own, so depth costs no recursion."""

    def __init__(self, name: str, tags: Container[str]) -> None:
        self.name = name
        self.tags = tags
        self.root: Node = None
        self.documents = 0
        self.open: list[Items | Mapping] = []
        self.keys: list[Text | None] = []  # per open container the key that waits for its value

    def build(self, events: Iterator[Any]) -> Node:
        for event in events:
            self._refuse_what_is_not_wanted(event)
            match event:
                case yaml.ScalarEvent():
                    self._add(self._scalar(event), event)
                case yaml.SequenceStartEvent():
                    self._enter(Items(self._at(event)), event)
                case yaml.MappingStartEvent():
                    self._enter(Mapping(self._at(event)), event)
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self.open.pop()
                    self.keys.pop()
        return self.root

    def _at(self, event: Any) -> str:
        return _place(self.name, event.start_mark)

    def _refuse_what_is_not_wanted(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise ConfigurationError(f"{self._at(event)}: a second document; only one is read")
        if getattr(event, "anchor", None) is not None:
            raise ConfigurationError(f"{self._at(event)}: anchors and aliases are not read here")
        tag = getattr(event, "tag", None)
        if tag is not None and not (isinstance(event, yaml.ScalarEvent) and tag in self.tags):
            raise ConfigurationError(f"{self._at(event)}: tags ({quoted(tag)}) are not read here")

    def _scalar(self, event: Any) -> Text | None:
        """Text; or None for a plain scalar that says nothing, which leaves a key unset."""
        if event.style is None and event.value in ("", "~", "null"):
            return None
        return Text(event.value, self._at(event), event.tag or "")

    def _enter(self, container: Items | Mapping, event: Any) -> None:
        if len(self.open) >= DEEPEST:
            raise ConfigurationError(f"{self._at(event)}: nested deeper than {DEEPEST} levels")
        self._add(container, event)
        self.open.append(container)
        self.keys.append(None)

    def _add(self, node: Node, event: Any) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent, Items):
            parent.append(node)
        elif (key := self.keys[-1]) is None:
            self.keys[-1] = self._key(parent, node, event)
        else:
            parent[key] = node
            self.keys[-1] = None

    def _key(self, parent: Mapping, node: Node, event: Any) -> Text:
        if not isinstance(node, Text):
            raise ConfigurationError(f"{self._at(event)}: a key must be a word")
        if node in parent:
            first = next(key for key in parent if key == node)
            where = getattr(first, "place", "").removeprefix(f"{self.name}:").partition(":")[0]
            raise ConfigurationError(f"{node.place}: {quoted(node)} is given twice (first in line {where})")
        return node
