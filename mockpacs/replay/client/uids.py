"""Which UID is said in place of a recorded one: what the live peer gave, or a fresh one."""

from __future__ import annotations

import hashlib
from typing import Final

_REGISTERED: Final = "1.2.840.10008."
"""UIDs of the standard itself: SOP classes, transfer syntaxes, well-known instances (PS3.6 Annex A)."""
CLASSES: Final = frozenset(
    (
        0x00080014,  # Instance Creator UID
        0x00080016,  # SOP Class UID
        0x0008001A,  # Related General SOP Class UID
        0x0008001B,  # Original Specialized SOP Class UID
        0x00080062,  # SOP Classes in Study
        0x0008010C,  # Coding Scheme UID
        0x00080118,  # Mapping Resource UID
        0x00081150,  # Referenced SOP Class UID
        0x00082112,
        0x00083002,  # Available Transfer Syntax UID
        0x00181002,  # Device UID
        0x00400A90,
    )
)
"""Attributes whose UIDs name no instance."""


class UidTable:
    """Of one pass over a recording, shared by its associations."""

    def __init__(self, seed: str | None = None) -> None:
        """``seed``: UIDs that the client brings become fresh ones, the same for the same seed; None leaves them."""
        self._seed = seed
        self._names: dict[str, str] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing is renamed: data sets need not be looked at."""
        return self._seed is None and not self._names

    def learn(self, recorded: str, live: str) -> None:
        """The live peer says ``live`` where the recorded one said ``recorded``."""
        if recorded and live and recorded != live:
            self._names[recorded] = live

    def rename(self, uid: str) -> str:
        """What to say for a UID that the client asks about: of what it has not brought, nothing is fresh."""
        return self._names.get(uid, uid)

    def bring(self, uid: str) -> str:
        """What to say for a UID of an instance that the client brings."""
        known = self._names.get(uid)
        if known is not None or self._seed is None or uid.startswith(_REGISTERED) or not uid:
            return uid if known is None else known
        digest = hashlib.blake2b(uid.encode("latin-1", "replace"), digest_size=16, key=self._key()).digest()
        fresh = f"2.25.{int.from_bytes(digest, 'big')}"  # PS3.5 B.2
        self._names[uid] = fresh
        return fresh

    def _key(self) -> bytes:
        return hashlib.blake2b((self._seed or "").encode(), digest_size=32).digest()
