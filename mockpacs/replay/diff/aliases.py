"""UIDs that have another name in the second recording: whoever names things anew, names the same thing the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

_REGISTERED: Final = "1.2.840.10008."


class Aliases:
    """Which UID of the first recording is which of the second. All pairs are seen first, then it is decided.

    A UID that is found unchanged somewhere is itself everywhere. Of the rest the pair that is seen most often holds;
    nothing has two names, and no name is that of two things. What the standard registers has one name.
    """

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._names: dict[str, str] | None = None

    def keep(self, uids: Iterable[str]) -> None:
        """These are in the same place in both."""
        self._kept.update(uids)

    def see(self, pairs: Iterable[tuple[str, str]]) -> None:
        """In one place the first UID is there in the first recording, the second in the second; equal ones too."""
        for one, other in pairs:
            if one == other:
                self._kept.add(one)
            elif one and other and not one.startswith(_REGISTERED) and not other.startswith(_REGISTERED):
                self._seen[one, other] += 1
        self._names = None

    def agree(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether each pair is one thing under two names."""
        names = self._decided()
        return all(one == other or names.get(one) == other for one, other in pairs)

    def __len__(self) -> int:
        return len(self._decided())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._decided().items())

    def _decided(self) -> dict[str, str]:
        if self._names is None:
            self._names, taken = {}, set[str]()
            for (one, other), _ in self._seen.most_common():
                if one in self._kept or other in self._kept or one in self._names or other in taken:
                    continue
                self._names[one] = other
                taken.add(other)
        return self._names
