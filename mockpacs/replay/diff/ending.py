"""How two associations ended, and what was sent on them that makes no message."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from mockpacs.replay.diff.change import Change, Topic
from mockpacs.replay.tape import Control, Ending, Gap, Noise, TapedAssociation
from mockpacs.traffic.dump.value import binary
from mockpacs.wire import Abort, AssociateRJ, ReleaseRP, ReleaseRQ
from mockpacs.wire.text import printable


def compare_endings(left: TapedAssociation, right: TapedAssociation) -> Iterator[Change]:
    """What came after the negotiation and belongs to no exchange."""
    yield from _noise(left, right)
    one, other = ending(left), ending(right)
    if one != other:
        yield Change("", "ending", one, other, Topic.ENDING)


def ending(one: TapedAssociation) -> str:
    """``released by the requestor``, ``aborted by the acceptor (source 2, reason 1)``, ``reset by the requestor``."""
    if isinstance(one.answer, AssociateRJ):
        return "rejected"
    release: Control | None = None
    for step in one.steps:
        match step:
            case Control(sender=sender, pdu=Abort(source, reason)):
                return f"aborted by the {sender.value} (source {source}, reason {reason})"
            case Control(pdu=ReleaseRQ()):
                release = release or step
            case Control(pdu=ReleaseRP()) if release is not None:
                return f"released by the {release.sender.value}"
    return _transport(one, release)


def gaps(one: TapedAssociation) -> int:
    """Bytes that were not captured."""
    return sum(step.size for step in one.steps if isinstance(step, Gap))


def _transport(one: TapedAssociation, release: Control | None) -> str:
    asked = f"release asked by the {release.sender.value} and not answered, " if release else ""
    for step in one.steps:
        if isinstance(step, Ending):
            if step.how == "cut":
                return f"{asked}open when the recording ended"
            how = "reset" if step.how == "reset" else "closed"
            by = f" by the {step.sender.value}" if step.sender else ""
            return f"{asked}{how}{by}" if asked else f"{how}{by} without a release"
    return f"{asked}the end was not captured"


def _noise(left: TapedAssociation, right: TapedAssociation) -> Iterator[Change]:
    ours, theirs = ([step for step in one.steps if isinstance(step, Noise)] for one in (left, right))
    for one, other in zip_longest(ours, theirs):
        if one is None or other is None or (one.sender, one.raw) != (other.sender, other.raw):
            sender = (one or other).sender.value
            yield Change(sender, "no message", _shown(one), _shown(other), Topic.NOISE)


def _shown(noise: Noise | None) -> str | None:
    return None if noise is None else f"{binary(noise.raw, with_text=True)}: {printable(noise.why, 200)}"
