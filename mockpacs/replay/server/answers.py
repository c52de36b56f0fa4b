"""The data sets that a recorded server answered with, as sets of answers that a rule can name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from mockpacs.replay.step import Said
from mockpacs.scenario.answers import AnswerSet
from mockpacs.scenario.record import turned
from mockpacs.services.byte_source import UnreadableError
from mockpacs.services.conversion import deflated, inflated
from mockpacs.services.recoding import rewritten
from mockpacs.wire.dataset import (
    DEFLATED,
    EXPLICIT_LITTLE,
    Element,
    Encoding,
    encode_element,
    encode_sequence,
    items,
    scan,
)
from mockpacs.wire.part10 import FileMeta, encode_head

FOLDER = "answers"
"""Where a written scenario has them."""
_IMPLICIT_UID = "1.2.840.10008.1.2"
_BIG = Encoding.of("1.2.840.10008.1.2.2")


class TapedAnswers(AnswerSet):
    """Data sets as they were recorded: byte for byte in the encoding they came in, rewritten for any other."""

    def __init__(self, name: str, recorded: Sequence[tuple[bytes, str]]) -> None:
        """``recorded``: each data set with its transfer syntax."""
        super().__init__(())
        self.name = name
        self._recorded = tuple(recorded)
        self._known: dict[Encoding, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._recorded)

    def encoded(self, encoding: Encoding) -> list[bytes]:
        """The data sets, deflated if the encoding says so. Any thread; the list is not to be changed."""
        known = self._known.get(encoding)
        if known is None:
            known = self._known[encoding] = [
                recoded(data, Encoding.of(syntax), encoding) for data, syntax in self._recorded
            ]
        return known

    def to_plain(self) -> str | list[str]:
        """How a written scenario says it: where its files are."""
        return f"{FOLDER}/{self.name}/*.dcm" if self._recorded else []

    def write(self, folder: Path, sop_class: str = "") -> None:
        """Make the files that `to_plain` names. Raises OSError."""
        if not self._recorded:
            return
        home = folder / FOLDER / self.name
        home.mkdir(parents=True)
        digits = len(str(len(self._recorded)))
        for number, (data, syntax) in enumerate(self._recorded, 1):
            head = encode_head(FileMeta(sop_class, "", syntax or _IMPLICIT_UID))
            (home / f"{number:0{digits}}.dcm").write_bytes(head + data)


def recoded(data: bytes, source: Encoding, target: Encoding) -> bytes:
    """A data set in another encoding; one that makes no sense stays as it is."""
    if source == target:
        return data
    try:
        blocks: Iterator[bytes] = iter((data,))
        if source.deflated:
            source, blocks = EXPLICIT_LITTLE, inflated(blocks)
        pieces = rewritten(blocks, source, implicit=target.implicit)
        if target == _BIG:
            return _turned(scan(b"".join(pieces), EXPLICIT_LITTLE, stop=1 << 32).elements.values())
        return b"".join(deflated(pieces) if target == DEFLATED else pieces)
    except UnreadableError:
        return data


def _turned(elements: Iterable[Element]) -> bytes:
    """Explicit little endian in big endian."""
    turned_ones = []
    for element in elements:
        if element.vr == "SQ":
            contents = [_turned(item.values()) for item in items(element, EXPLICIT_LITTLE)]
            turned_ones.append(encode_sequence(element.tag, contents, _BIG))
        else:
            turned_ones.append(encode_element(element.tag, element.vr, turned(bytes(element.value), element.vr), _BIG))
    return b"".join(turned_ones)


class Sets:
    """The sets of a recording; equal ones are one."""

    def __init__(self) -> None:
        self._by_content: dict[bytes, TapedAnswers] = {}
        self.by_name: dict[str, TapedAnswers] = {}
        self.sop_classes: dict[str, str] = {}
        """By name: the SOP class of the query."""

    def of(self, name: Callable[[], str], messages: Sequence[Said], sop_class: str) -> str:
        """The name of a set with the data sets of these messages; ``name`` makes one for a new set."""
        recorded = [(said.data.read(), said.context.transfer_syntax) for said in messages if said.data is not None]
        digest = hashlib.sha256()
        for data, syntax in recorded:
            digest.update(f"{syntax} {len(data)} ".encode())
            digest.update(data)
        found = self._by_content.get(digest.digest())
        if found is None:
            called = name() if recorded else "nothing"
            found = self._by_content[digest.digest()] = TapedAnswers(called, recorded)
            self.by_name[called] = found
            self.sop_classes[called] = sop_class
        return found.name
