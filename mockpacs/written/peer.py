"""A peer that may be called: its title, where it listens, and how it is spoken to.

Only what somebody wrote in such a form is ever dialled; nothing a peer sends, and nothing a recording holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from mockpacs.written.address import with_colons
from mockpacs.written.kinds import Kind, Many, Refused, nearest, quoted, refused
from mockpacs.written.numbers import Whole
from mockpacs.written.uids import TRANSFER_SYNTAX, UidGlob, uids_of
from mockpacs.written.words import Choice, Flag, Host, OptionalPath, Title

_TLS: Final = "tls"


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity that may be called, for C-MOVE by its title."""

    aet: str
    host: str
    port: int
    transfer_syntaxes: tuple[str, ...] = ()
    """UIDs: no others are proposed to it; none means whatever the instances are stored in, and what they can become."""
    tls: bool = False
    tls_ca: Path | None = None
    """Certificates (PEM) of those who may sign for it; None for those this machine trusts."""
    tls_verify: Literal["name", "chain", "none"] = "name"
    """What of its certificate is verified: the chain and that it is for this host, the chain only, or nothing."""

    @property
    def address(self) -> str:
        """``host:port``, with brackets around IPv6."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TransferSyntaxes:
    """Transfer syntaxes by UID, by name or keyword, or as the words for the uncompressed ones; in the order written."""

    allowed: ClassVar[str] = "a list of transfer syntaxes, each a UID, a name or keyword of PS3.6, or such as implicit"

    def read(self, value: object) -> tuple[str, ...]:
        """Their UIDs, each once. A name with ``*`` stands for all it fits."""
        found: list[str] = []
        problems: list[tuple[object, str]] = []
        for item in value if isinstance(value, list | tuple) else [value]:
            try:
                found += _uids(item)
            except Refused as no:
                problems += no.problems
        if problems:
            raise Refused(*problems)
        return tuple(dict.fromkeys(found))

    def write(self, value: object) -> str:
        """The UIDs, as YAML writes a short list."""
        return f"[{', '.join(value if isinstance(value, tuple) else ())}]"


def _uids(item: object) -> list[str]:
    if not isinstance(item, str):
        raise refused(item, "a transfer syntax: a UID, a name or keyword of PS3.6, or such as implicit")
    try:
        uids = uids_of(item, TRANSFER_SYNTAX)
    except ValueError as error:
        raise Refused((item, str(error))) from error
    if isinstance(uids, UidGlob):
        raise Refused((item, f"{quoted(item)} fits UIDs without end: write them one by one"))
    assert isinstance(uids, frozenset)
    if any(len(uid) > 64 or not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", uid) for uid in uids):
        raise Refused((item, f"{quoted(item)} is not a UID"))
    return sorted(uids)


class _Called(Host):
    """An address or a name to call."""

    allowed: ClassVar[str] = "an address or host name, such as 127.0.0.1, ::1 or pacs.example.org"

    def read(self, value: object) -> str:
        """The address, IPv6 without brackets."""
        text = Host.read(self, value)
        try:
            text.encode("idna")  # with a name that cannot be encoded a look-up ends in a UnicodeError
        except UnicodeError as error:
            raise refused(value, self.allowed) from error
        return text


_KINDS: Final[dict[str, Kind]] = {
    "aet": Title(),
    "host": _Called(),
    "port": Whole(1, 65535),
    "transfer_syntaxes": TransferSyntaxes(),
    "tls": Flag(),
    "tls_ca": OptionalPath(),
    "tls_verify": Choice(("name", "chain", "none")),
}
_NEEDED: Final = ("aet", "host", "port")
_IN_A_WORD: Final = "write AET=HOST:PORT or AET=tls://HOST:PORT"


class PeerKind:
    """A mapping in a file, or one word: ``AET=HOST:PORT``, ``AET=tls://HOST:PORT``."""

    allowed: ClassVar[str] = (
        "a peer: AET=HOST:PORT or AET=tls://HOST:PORT; or {aet: AET, host: HOST, port: PORT}, where wanted with "
        "transfer_syntaxes: [...], tls: true, tls_ca: PATH, tls_verify: name, chain or none"
    )
    paths: ClassVar[tuple[str, ...]] = ("tls_ca",)
    """Keys of the mapping that are paths, so that a file's own folder counts."""

    def read(self, value: object) -> Peer:
        """The peer."""
        if isinstance(value, Peer):
            return _from_mapping(asdict(value))
        if isinstance(value, Mapping):
            return _from_mapping(value)
        if isinstance(value, str):
            return _from_word(value)
        raise refused(value, self.allowed)

    def write(self, value: object) -> str:
        """The peer in one word."""
        assert isinstance(value, Peer)
        return f"{value.aet}={f'{_TLS}://' if value.tls else ''}{value.address}"


class Peers(Many):
    """A list of peers, each with a title of its own."""

    __slots__ = ()

    def __init__(self) -> None:
        Many.__init__(self, PeerKind())

    def read(self, value: object) -> tuple[object, ...]:
        """All of them; of two with the same title the second is refused, also where something else is wrong."""
        items = value if isinstance(value, list | tuple) else [value]
        titles: set[str] = set()
        peers: list[object] = []
        problems: list[tuple[object, str]] = []
        for item in items:
            try:
                peers.append(self.one.read(item))
            except Refused as no:
                problems += no.problems
            title = _title(item)
            if title is not None and title in titles:
                problems.append((item, f"there are two peers with the AE title {quoted(title)}"))
            titles.add(title or "")
        if problems:
            raise Refused(*problems)
        return tuple(peers)


def _title(item: object) -> str | None:
    """The title that somebody wrote for a peer, whatever the rest of it is; None when there is none."""
    written: object = None
    if isinstance(item, Peer):
        written = item.aet
    elif isinstance(item, Mapping):
        written = item.get("aet")
    elif isinstance(item, str):
        written = item.rpartition("=")[0]
    try:
        return Title().read(written)
    except Refused:
        return None


def _from_word(word: str) -> Peer:
    """The title may have ``=`` in it, and an IPv6 address has colons: both are split at their last one."""
    if word.strip().startswith("{") and word.strip().endswith("}"):
        raise Refused((word, f"{quoted(word)} is a mapping, which stands in the file of --config: here {_IN_A_WORD}"))
    title, is_pair, address = word.rpartition("=")
    scheme, has_scheme, place = address.rpartition("://")
    host, has_port, port = place.rpartition(":")
    if not (is_pair and has_port):
        raise Refused((word, f"{quoted(word)} is not a peer: {_IN_A_WORD}"))
    if has_scheme and scheme.strip().lower() != _TLS:
        raise Refused((word, f"{quoted(scheme)} is not a way to a peer: {_IN_A_WORD}"))
    if ":" in host and not (host.strip().startswith("[") and host.endswith("]")):
        raise Refused((word, with_colons(place)))
    read, problems = _values({"aet": title, "host": host, "port": port, "tls": bool(has_scheme)})
    if problems:
        raise Refused(*((word, sentence) for _, sentence in problems))
    return Peer(**read)


def _from_mapping(value: Mapping[Any, object]) -> Peer:
    unknown = [key for key in value if key not in _KINDS]
    hints = {key: nearest(str(key), _KINDS) for key in unknown}
    problems: list[tuple[object, str]] = [
        (key, f"unknown key {quoted(key)} of a peer{hints[key] or f'; the keys are {_all_keys()}'}") for key in unknown
    ]
    given = {str(key): entry for key, entry in value.items() if key in _KINDS and entry is not None}
    # A key that is misspelt is not missing as well.
    missing = [key for key in _NEEDED if key not in given and not any(f'"{key}"' in hint for hint in hints.values())]
    if missing:
        needed = f"{', '.join(_NEEDED[:-1])} and {_NEEDED[-1]}"
        problems.append((value, f"a peer has {needed}: {' and '.join(missing)} missing"))
    read, wrong = _values(given)
    problems += wrong
    if problems:
        raise Refused(*problems)
    return Peer(**read)


def _values(given: Mapping[str, object]) -> tuple[dict[str, Any], list[tuple[object, str]]]:
    """What can be read, and what is wrong, each with the value it is about."""
    read: dict[str, Any] = {}
    problems: list[tuple[object, str]] = []
    for key, value in given.items():
        try:
            read[key] = _KINDS[key].read(value)
        except Refused as no:
            problems += [(part, f"{key}: {text}") for part, text in no.problems]
    if "tls" in read or "tls" not in given:
        problems += [(given[key], text) for key, text in _needless(read)]
    return read, problems


def _needless(read: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys that others make meaningless, and why: who writes them believes that something is verified."""
    if not read.get("tls"):
        for key, least in (("tls_ca", None), ("tls_verify", "name")):
            if read.get(key, least) != least:
                yield key, f"{key} is for peers that speak TLS: say tls: true too"
    elif read.get("tls_ca") is not None and read.get("tls_verify") == "none":
        yield "tls_ca", "tls_ca is not looked at with tls_verify: none: leave out one of them"


def _all_keys() -> str:
    return ", ".join(_KINDS)
