"""What is not looked at: attributes by keyword, and words for what is none; some are left out unless asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mockpacs.errors import ConfigurationError
from mockpacs.replay.diff.change import Change, Topic
from mockpacs.traffic.filter.attribute import keywords, tag_named
from mockpacs.traffic.filter.syntax import nearest
from mockpacs.wire import Tag
from mockpacs.wire.dictionary import keyword_of
from mockpacs.wire.text import printable

WORDS: Final[dict[str, str]] = {
    Topic.MESSAGE_IDS: "Message ID, Message ID Being Responded To, Move Originator Message ID",
    Topic.GROUP_LENGTHS: "(gggg,0000)",
    Topic.RENAMED_UIDS: "UIDs that have another value in the second recording, the same one everywhere",
    Topic.IMPLEMENTATION: "Implementation Class UID and Version Name of both sides",
    Topic.ADDRESSES: "host and port of both sides",
    Topic.TITLES: "calling and called AE title",
    Topic.CONTEXTS: "presentation contexts: what was proposed, accepted and refused",
    Topic.ROLES: "SCP/SCU role selection",
    Topic.EXTENDED: "extended negotiation",
    Topic.USER: "user identity",
    Topic.WINDOW: "asynchronous operations window",
    Topic.MAX_PDU: "maximum PDU length of both sides",
    Topic.ENDING: "how associations ended",
    Topic.ORDER: "the order of exchanges, of matches and of items",
    Topic.PROGRESS: "how many pending responses without a data set a retrieve had, and what they count",
    Topic.TRANSFER_SYNTAX: "the transfer syntax a message came in",
    Topic.VR: "VRs, where both recordings write them",
    Topic.NOISE: "bytes that are no PDU",
}
"""What can be ignored beside attributes, and what it is."""
DEFAULTS: Final = (
    Topic.MESSAGE_IDS,
    Topic.GROUP_LENGTHS,
    Topic.RENAMED_UIDS,
    Topic.IMPLEMENTATION,
    Topic.ADDRESSES,
)
_MESSAGE_IDS: Final = frozenset(map(int, (Tag.MESSAGE_ID, Tag.MESSAGE_ID_RESPONDED_TO, Tag.MOVE_ORIGINATOR_MESSAGE_ID)))


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is left out of a comparison."""

    topics: frozenset[str] = frozenset(DEFAULTS)
    tags: frozenset[int] = frozenset()

    @classmethod
    def parse(cls, words: Iterable[str], *, defaults: bool = True) -> Ignored:
        """Read keywords, tags and words; raises `ConfigurationError` for what is none."""
        topics, tags = set(DEFAULTS if defaults else ()), set[int]()
        for word in words:
            tag = None if word in WORDS else tag_named(word)
            if word in WORDS:
                topics.add(Topic(word))
            elif tag is not None:
                tags.add(tag)
            else:
                near = nearest(word, WORDS) or nearest(word, map(keyword_of, keywords().values()))
                raise ConfigurationError(
                    f'--ignore: "{printable(word, 40)}" is no keyword of an attribute, no tag such as 0010,0010 and '
                    f"none of {', '.join(WORDS)}{near}"
                )
        return cls(frozenset(topics), frozenset(tags))

    def hides(self, change: Change) -> bool:
        """Whether nobody wants to know."""
        return change.topic in self.topics

    def leaves_out(self, tag: int) -> bool:
        """Whether an element is not looked at, wherever it is; tags are those of data sets and of command sets."""
        if tag in self.tags:
            return True
        if not tag & 0xFFFF:
            return Topic.GROUP_LENGTHS in self.topics
        return tag in _MESSAGE_IDS and Topic.MESSAGE_IDS in self.topics
