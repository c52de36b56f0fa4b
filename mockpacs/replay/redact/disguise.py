"""What stands for what, under a key: text, UIDs, dates, addresses. The same key gives the same for the same."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date as Day  # noqa: N812 - `date` is what it is called here
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from mockpacs.replay.redact.mask import Mask

KEY_LENGTH: Final = 32
DAY: Final = 86_400
"""Seconds."""

_WELL_KNOWN: Final = "1.2.840.10008."
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)+")
_DATE: Final = re.compile(r"(?<!\d)(\d{4})(\.?)(\d\d)\2(\d\d)")
_WHOLE_DATES: Final = re.compile(r"[-\\ \0]*(?:(?:\d{8}|\d{4}\.\d\d\.\d\d)[-\\ \0]*)*")
_MOMENT: Final = re.compile(r"(?<![\d.+])(\d{4})(\d\d)?(\d\d)?")
_LARGEST_OFFSET: Final = 1400
"""Of a time zone; four digits alone are one up to here, and a year from here on."""
_MOMENTS: Final = re.compile(r"[-\\ \0]*(?:\d{4}(?:\d\d){0,5}(?:\.\d{1,6})?(?:[+-]\d{4}(?!\d))?[-\\ \0]*)*")
_LEAST_SHIFT, _MOST_SHIFT = 400, 4000
_FIRST_BIRTH: Final = Day(1800, 1, 1)
_BIRTHS: Final = 36_500
"""Days from then on: of nobody who is still alive."""
_SHORT: Final = 16
"""UIDs of fewer characters are few: they are chosen so that no two become one."""
_TRIES: Final = 1000
_LONGEST_UUID: Final = 38
"""Digits of a UUID as a number, less one: any number of so many digits is one (PS3.5 B.2)."""
_IP4: Final = int(ipaddress.IPv4Address("198.18.0.0"))  # for tests of networks: no host has one (RFC 2544)
_IP4_BITS: Final = 17
_IP6: Final = int(ipaddress.IPv6Address("2001:db8::"))  # for documentation (RFC 3849)
_IP6_BITS: Final = 96


class Disguise:
    """Replacements under one key."""

    def __init__(self, key: bytes) -> None:
        """``key``: any bytes; who has them can tell for a guess whether it is right."""
        self._key = blake2b(key, digest_size=KEY_LENGTH).digest()
        self.text = Mask(self._key).hide
        """(bytes, the text of (0008,0005)) -> other letters and digits, as many."""
        self.shift = -self._days(b"dates")
        """Days that are added to dates and to the times of the recording."""
        self.uid = lru_cache(maxsize=1 << 17)(self._uid)
        """Another UID of the same length; those that the standard defines stay, and what is no UID is text."""
        self._short: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._taken: set[str] = set()

    def date(self, text: str) -> str | None:
        """The dates and ranges of a DA shifted; None when there is something else in it."""
        return self._dates(text, lambda day: _moved(day, self.shift))

    def birth_date(self, text: str) -> str | None:
        """The same for dates of birth. They become others in no order: one that is known tells nothing of the rest."""
        return self._dates(text, self._birth_date)

    def moment(self, text: str) -> str | None:
        """The same for a DT: its days are shifted, the time of day stays."""
        if not _MOMENTS.fullmatch(text):
            return None
        try:
            return _MOMENT.sub(lambda found: _shifted_moment(found, self.shift), text)
        except ValueError:
            return None

    def title(self, title: str) -> str:
        """An AE title."""
        return self.text(title.encode("latin-1", "replace"), "").decode("latin-1")

    def host(self, host: str) -> str:
        """Another address of the same family, one that no machine has; two are never the same."""
        if host not in self._hosts:
            self._hosts[host] = self._new_host(host)
        return self._hosts[host]

    def address(self, address: str) -> str:
        """``host:port`` or ``[host]:port``: the port stays."""
        host, _, port = address.rpartition(":")
        bare = host.strip("[]")
        return f"[{self.host(bare)}]:{port}" if host.startswith("[") else f"{self.host(bare)}:{port}"

    def _new_host(self, host: str) -> str:
        try:
            known = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return "0.0.0.0"
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
            return f"::ffff:{self.host(str(known.ipv4_mapped))}"
        for number in range(1 << _IP4_BITS):
            noise = self._noise(b"hosts", known.packed + number.to_bytes(4, "big"))
            if isinstance(known, ipaddress.IPv4Address):
                new = str(ipaddress.IPv4Address(_IP4 + noise % (1 << _IP4_BITS)))
            else:
                new = str(ipaddress.IPv6Address(_IP6 + noise % (1 << _IP6_BITS)))
            if new not in self._taken and not new.endswith((".0", ".255")):
                break
        self._taken.add(new)
        return new

    def _uid(self, uid: str) -> str:
        if uid.startswith(_WELL_KNOWN) or not uid:
            return uid
        if not _UID.fullmatch(uid):
            return self.title(uid)
        return self._short_uid(uid) if len(uid) < _SHORT else self._new_uid(uid, 0)

    def _short_uid(self, uid: str) -> str:
        """Digits in their places; which were given before is remembered."""
        if uid not in self._short:
            taken = set(self._short.values())
            tries = (self._new_uid(uid, number) for number in range(_TRIES))
            self._short[uid] = next((new for new in tries if new not in taken and new != uid), f"2.25.{len(taken)}")
        return self._short[uid]

    def _new_uid(self, uid: str, number: int) -> str:
        size = len(uid)
        noise = str(self._noise(b"uids", f"{number} {uid}".encode()))
        noise += str(self._noise(b"more", f"{number} {uid}".encode()))
        if size < 8:
            first, *rest = uid.split(".")
            return ".".join(["2".ljust(len(first), "2"), *_cut(noise, [len(part) for part in rest])])
        digits = size - len("2.25.")
        sizes = [digits]
        if digits > _LONGEST_UUID:
            first_size = min(_LONGEST_UUID, digits - 2)
            sizes = [first_size, digits - first_size - 1]
        return "2.25." + ".".join(_cut(noise, sizes))

    def _dates(self, text: str, new: Callable[[Day], Day]) -> str | None:
        if not _WHOLE_DATES.fullmatch(text):
            return None
        try:
            return _DATE.sub(lambda found: _new_date(found, new), text)
        except ValueError:
            return None

    def _birth_date(self, day: Day) -> Day:
        noise = self._noise(b"births", day.isoformat().encode())
        return _FIRST_BIRTH + timedelta(days=noise % _BIRTHS)

    def _days(self, purpose: bytes) -> int:
        return _LEAST_SHIFT + self._noise(purpose, b"") % (_MOST_SHIFT - _LEAST_SHIFT)

    def _noise(self, purpose: bytes, data: bytes) -> int:
        return int.from_bytes(blake2b(data, key=self._key, person=purpose, digest_size=32).digest(), "big")


def _cut(noise: str, sizes: list[int]) -> list[str]:
    """Numbers of these lengths that do not begin with a zero."""
    parts: list[str] = []
    noise *= 1 + sum(sizes) // len(noise)
    for size in sizes:
        digits, noise = noise[:size], noise[size:]
        parts.append(digits if len(digits) == 1 or digits[0] != "0" else "1" + digits[1:])
    return parts


def _new_date(found: re.Match[str], new: Callable[[Day], Day]) -> str:
    year, separator, month, day = found.groups()
    moved = new(Day(int(year), int(month), int(day)))
    return f"{moved.year:04}{separator}{moved.month:02}{separator}{moved.day:02}"


def _shifted_moment(found: re.Match[str], days: int) -> str:
    year, month, day = found.groups()
    if month is None and int(year) <= _LARGEST_OFFSET:
        return found[0]
    moved = _moved(Day(int(year), int(month or 7), int(day or 15)), days)
    return f"{moved.year:04}{f'{moved.month:02}' if month else ''}{f'{moved.day:02}' if day else ''}"


def _moved(day: Day, days: int) -> Day:
    """Backwards; forwards where the calendar does not go back so far."""
    if day.toordinal() + days < 1:
        days = -days
    return day + timedelta(days)
