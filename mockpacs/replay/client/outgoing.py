"""A recorded message as it is said to the live peer: another id, other UIDs, the transfer syntax of the context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from mockpacs.replay.blob import Blob
from mockpacs.replay.client.negotiation import Place
from mockpacs.replay.client.renaming import Rename, renamed
from mockpacs.replay.client.uids import UidTable
from mockpacs.replay.step import Said
from mockpacs.services.byte_source import UnreadableError
from mockpacs.services.conversion import deflated, inflated
from mockpacs.services.recoding import rewritten
from mockpacs.wire import Command, Tag, Value, encode_command
from mockpacs.wire.dataset import Encoding

HELD_AT_MOST: Final = 1 << 20
"""Bytes of a data set that is read and sent as a whole; a longer one goes through in blocks."""
_HEAD: Final = 4 << 20
"""Bytes of a long data set in which UIDs are replaced."""
_BRINGING: Final = ("C-STORE", "N-CREATE")
_INSTANCES: Final = (Tag.AFFECTED_SOP_INSTANCE, Tag.REQUESTED_SOP_INSTANCE)


class Outgoing(NamedTuple):
    """A message that can be sent."""

    command: Command
    encoded: bytes
    """The command set."""
    data: bytes | Iterator[bytes] | None
    """The data set: whole when it is short, in blocks when it is long."""


def outgoing(said: Said, place: Place, table: UidTable, message_id: int, cancels: int | None = None) -> Outgoing:
    """What is sent for a recorded request. ``cancels``: of a C-CANCEL-RQ, the live id of what it cancels.

    Raises UnreadableError when the data set cannot be converted.
    """
    rename = table.bring if said.command.service in _BRINGING else table.rename
    elements: dict[int, Value] = dict(said.command.elements)
    if cancels is None:
        elements[Tag.MESSAGE_ID] = message_id
    else:
        elements[Tag.MESSAGE_ID_RESPONDED_TO] = cancels
    if not table.is_idle:
        for tag in _INSTANCES:
            uid = elements.get(tag)
            if isinstance(uid, str):
                elements[tag] = rename(uid)
    command = Command(elements)
    data = None if said.data is None else _data(said, said.data, place, None if table.is_idle else rename)
    return Outgoing(command, encode_command(command), data)


def _data(said: Said, blob: Blob, place: Place, rename: Rename | None) -> bytes | Iterator[bytes]:
    source, target = said.context.transfer_syntax, place.context.transfer_syntax
    if rename is None and not place.is_converted:
        return blob.read() if blob.size <= HELD_AT_MOST else blob.blocks()
    blocks = _changed(blob.blocks(), source, target if place.is_converted else source, rename)
    if blob.size > HELD_AT_MOST:
        return blocks
    return b"".join(blocks)


def _changed(blocks: Iterable[bytes], source: str, target: str, rename: Rename | None) -> Iterator[bytes]:
    encoding, wanted = Encoding.of(source), Encoding.of(target)
    if encoding.deflated:
        blocks = inflated(blocks)
        encoding = encoding._replace(deflated=False)
    if rename is not None:
        blocks = _renamed(iter(blocks), encoding, rename)
    if source != target and (encoding.implicit, encoding.little_endian) != (wanted.implicit, True):
        blocks = rewritten(blocks, encoding, implicit=wanted.implicit)
    return iter(deflated(blocks) if wanted.deflated else blocks)


def _renamed(blocks: Iterator[bytes], encoding: Encoding, rename: Rename) -> Iterator[bytes]:
    head = bytearray()
    for block in blocks:
        head += block
        if len(head) >= _HEAD:
            break
    yield renamed(bytes(head), encoding, rename)
    yield from blocks


__all__ = ["HELD_AT_MOST", "Outgoing", "UnreadableError", "outgoing"]
