"""Two tapes compared: associations and exchanges that belong together, and what is not the same in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from mockpacs.replay.diff.align import align
from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.diff.ending import compare_endings, gaps
from mockpacs.replay.diff.exchange import Comparing
from mockpacs.replay.diff.ignore import Ignored
from mockpacs.replay.diff.negotiation import compare_negotiations
from mockpacs.replay.diff.side import Side, paired, sides_of
from mockpacs.replay.diff.talk import Talk
from mockpacs.replay.tape import Tape, TapedAssociation
from mockpacs.traffic.exchange import Exchange


@dataclass(frozen=True, slots=True)
class ExchangePair:
    """Two exchanges that belong together, or one that has no counterpart."""

    left: Exchange | None
    right: Exchange | None
    changes: tuple[Change, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.left is not None and self.right is not None and not self.changes


@dataclass(frozen=True, slots=True)
class AssociationPair:
    """The same for associations, with their exchanges in the order of the first."""

    left: TapedAssociation | None
    right: TapedAssociation | None
    changes: tuple[Change, ...] = ()
    """Of the negotiation and of how it ended."""
    exchanges: tuple[ExchangePair, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to say of it and its exchanges."""
        is_paired = self.left is not None and self.right is not None
        return is_paired and not self.changes and all(pair.is_same for pair in self.exchanges)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out."""

    associations: tuple[AssociationPair, ...]
    renamed: tuple[tuple[str, str], ...] = ()
    """UIDs that have another value in the second recording, the same one everywhere."""
    remarks: tuple[str, ...] = field(default=())
    """What makes the comparison less than whole."""

    @property
    def is_same(self) -> bool:
        """Whether no difference was found."""
        return all(pair.is_same for pair in self.associations)

    @property
    def exchanges(self) -> Iterator[ExchangePair]:
        """Those of all associations."""
        return (exchange for pair in self.associations for exchange in pair.exchanges)


def compare(
    left: Tape | Sequence[TapedAssociation],
    right: Tape | Sequence[TapedAssociation],
    *,
    ignored: Ignored | None = None,
    with_data: bool = True,
    with_times: bool = False,
) -> Comparison:
    """Compare what two tapes hold; of filtered ones the exchanges that the filter wants.

    ``with_data``: data sets, not only that they are there. ``with_times``: also whether something took more than twice
    as long and a tenth of a second more. The tapes must be open. Raises RecordingError when data cannot be read.
    """
    ignored = ignored or Ignored()
    comparing = Comparing(ignored, with_data=with_data, with_times=with_times)
    ours, theirs = sides_of(left), sides_of(right)
    pairs = tuple(_compared(one, other, comparing) for one, other in paired(ours, theirs, comparing.recognition))
    is_renaming = Topic.RENAMED_UIDS in ignored.topics
    pairs = tuple(_settled(pair, comparing, is_renaming=is_renaming) for pair in pairs)
    renamed = tuple(comparing.aliases) if is_renaming else ()
    return Comparison(pairs, renamed, (*_remarks("first", ours), *_remarks("second", theirs)))


def _compared(one: Side | None, other: Side | None, comparing: Comparing) -> AssociationPair:
    if one is None or other is None:
        lone = one or other
        assert lone is not None
        pairs = tuple(_lone(talk, is_left=one is not None) for talk in lone.talks)
        return AssociationPair(one.taped if one else None, other.taped if other else None, (), pairs)
    changes = (*compare_negotiations(one.taped, other.taped), *compare_endings(one.taped, other.taped))
    known = comparing.recognition
    exchanges: list[ExchangePair] = []
    exact, loose = [known.exact, known.content], [known.kind, known.question]
    for left, right, is_moved in align(one.talks, other.talks, exact, loose, known.are_alike):
        if left is None or right is None:
            talk = other.talks[right or 0] if left is None else one.talks[left]
            exchanges.append(_lone(talk, is_left=left is not None))
            continue
        ours, theirs = one.talks[left], other.talks[right]
        found = tuple(comparing.exchanges(ours, theirs))
        if is_moved:
            place = f"number {ours.exchange.number}", f"number {theirs.exchange.number}"
            found = (Change("", "order", *place, Topic.ORDER), *found)
        exchanges.append(ExchangePair(ours.exchange, theirs.exchange, found))
    return AssociationPair(one.taped, other.taped, changes, tuple(exchanges))


def _lone(talk: Talk, *, is_left: bool) -> ExchangePair:
    return ExchangePair(talk.exchange if is_left else None, None if is_left else talk.exchange)


def _settled(pair: AssociationPair, comparing: Comparing, *, is_renaming: bool) -> AssociationPair:
    """Without what is ignored, and without what is but renamed: that is known when everything was seen."""

    def told(change: Change) -> bool:
        is_renamed = is_renaming and change.uids and comparing.aliases.agree(change.uids)
        return not is_renamed and not comparing.ignored.hides(change)

    exchanges = tuple(replace(one, changes=tuple(filter(told, one.changes))) for one in pair.exchanges)
    return replace(pair, changes=tuple(filter(told, pair.changes)), exchanges=exchanges)


def _remarks(which: str, sides: Sequence[Side]) -> Iterator[str]:
    for side in sides:
        if missing := gaps(side.taped):
            number = side.taped.number
            yield f"association {number} of the {which} recording lacks {missing} bytes that were not captured"
