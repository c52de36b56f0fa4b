"""Every choice a user has, in one frozen record. The table of fields is the schema of all sources and of the manual."""

# ruff: noqa: RUF009  _key() is dataclasses.field() with metadata; all defaults are immutable

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from mockpacs.config.users import User, UserKind
from mockpacs.errors import ConfigurationError
from mockpacs.written.kinds import Kind, Many, Refused, nearest, quoted
from mockpacs.written.numbers import Seconds, Size, Whole
from mockpacs.written.peer import Peer, Peers
from mockpacs.written.port import OFF, Port, Secret
from mockpacs.written.words import Choice, FilePath, Flag, Host, OptionalPath, ScenarioPath, Seed, Title

HTTP_PORT: Final = 8112
"""Where the control API of ``mockpacs serve`` is by itself."""


@dataclass(frozen=True, slots=True)
class Option:
    """One key: its name everywhere, what it may be, what it is without being set, and what it does."""

    name: str
    group: str
    kind: Kind
    default: object
    about: str

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return f"MOCKPACS_{self.name.upper()}"


def _key(group: str, kind: Kind, default: Any, about: str) -> Any:
    is_shown = not isinstance(kind, Secret)
    return field(default=default, repr=is_shown, metadata={"group": group, "kind": kind, "about": about})


_NETWORK, _SCENARIO, _ARCHIVE = "Network", "Scenario", "Archive and storage"
_QUERY, _RETRIEVE = "Query", "Retrieve"
_ACCESS, _RECORDING, _CONTROL, _OUTPUT = "Access", "Recording", "Control API", "Output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a server does. Values are checked on construction; `ConfigurationError` names every bad one.

    Durations are in seconds, sizes in bytes; both may be given as text with a unit ("500ms", "2 GiB").
    """

    host: str = _key(_NETWORK, Host(), "127.0.0.1", "Address to listen on.")
    port: int = _key(_NETWORK, Whole(0, 65535), 11112, "TCP port to listen on; 0 takes a free one.")
    aet: str = _key(_NETWORK, Title(), "MOCKPACS", "Own AE title.")
    artim_timeout: float = _key(
        _NETWORK,
        Seconds(),
        30.0,
        "Time a peer has from connecting to its A-ASSOCIATE-RQ, and from our abort to its close; as a destination that "
        "we call, for the connection and again for its answer to our A-ASSOCIATE-RQ.",
    )
    network_timeout: float = _key(
        _NETWORK, Seconds(zero=True), 60.0, "Silence after which an association is aborted; 0 waits for ever."
    )
    stop_timeout: float = _key(_NETWORK, Seconds(), 2.0, "Time a stop may take, associations included.")
    max_associations: int = _key(
        _NETWORK, Whole(1, 100_000), 5000, "Associations at once; one more is rejected (local limit exceeded)."
    )
    max_pdu: int = _key(
        _NETWORK, Size(4096, 2**30), 131_072, "Largest P-DATA-TF a peer may send, in bytes; 0 sets the peer no limit."
    )
    peer: tuple[Peer, ...] = _key(
        _NETWORK, Peers(), (), "Peers that may be called: the destinations of C-MOVE, by their AE title."
    )

    scenario: tuple[Path, ...] = _key(
        _SCENARIO,
        Many(ScenarioPath()),
        (),
        "Scenarios to play: YAML files, or names of shipped ones (mockpacs scenarios lists them); rules in this order.",
    )
    seed: int | None = _key(
        _SCENARIO, Seed(), None, "Seed of all that scenarios draw, stronger than their own; random draws one."
    )
    expect: bool = _key(
        _SCENARIO, Flag(), False, "At the end check what scenarios expect; exit status 1 when something is not met."
    )

    storage: Path = _key(_ARCHIVE, FilePath(), Path("storage"), "Folder of the archive; made when missing.")
    memory: bool = _key(_ARCHIVE, Flag(), False, "Keep everything in memory and nothing on disk.")
    preload: tuple[Path, ...] = _key(_ARCHIVE, Many(FilePath()), (), "DICOM files or folders to add before serving.")
    durability: Literal["normal", "full"] = _key(
        _ARCHIVE,
        Choice(("normal", "full")),
        "normal",
        "normal survives a crash of the process, full also a power cut (fsync).",
    )
    on_duplicate: Literal["keep", "replace", "refuse"] = _key(
        _ARCHIVE,
        Choice(("keep", "replace", "refuse")),
        "keep",
        "An instance that is stored already arrives with other bytes: keep the old, take the new, or refuse with 0111.",
    )
    duplicate_status: Literal["warning", "success"] = _key(
        _ARCHIVE, Choice(("warning", "success")), "warning", "Answer when the old instance was kept: B000 or 0000."
    )
    unreadable: Literal["warn", "accept", "refuse"] = _key(
        _ARCHIVE,
        Choice(("warn", "accept", "refuse")),
        "warn",
        "A data set that cannot be read to its end: store and warn, store and say success, or refuse.",
    )
    mismatch: Literal["warn", "accept", "refuse"] = _key(
        _ARCHIVE,
        Choice(("warn", "accept", "refuse")),
        "warn",
        "A data set whose SOP class or instance is not that of the request: store and warn, store, or refuse.",
    )
    max_instance_size: int = _key(
        _ARCHIVE, Size(0, 2**50), 0, "Largest data set taken, in bytes; a larger one is refused. 0 sets no limit."
    )

    unknown_values: Literal["no-match", "match"] = _key(
        _QUERY,
        Choice(("no-match", "match")),
        "no-match",
        "Whether an entity without a value matches any key (match is PS3.4 C.2.2.1.2 to the letter).",
    )
    person_name_case: Literal["insensitive", "sensitive"] = _key(
        _QUERY,
        Choice(("insensitive", "sensitive")),
        "insensitive",
        "Whether case counts when names of people are compared.",
    )
    max_query_results: int = _key(
        _QUERY, Whole(0, 2**31 - 1), 0, "Matches sent for one C-FIND; more end it with A700. 0 sets no limit."
    )

    transcode: bool = _key(
        _RETRIEVE,
        Flag(),
        False,
        "Decompress instances for receivers that do not accept their transfer syntax; otherwise these count as failed. "
        "Needs the extra transcode.",
    )
    pending_interval: float = _key(
        _RETRIEVE,
        Seconds(zero=True),
        0.0,
        "Least time between two pending responses of a C-GET or C-MOVE; 0 sends one after each sub-operation but the "
        "last.",
    )

    tls_cert: Path | None = _key(_ACCESS, OptionalPath(), None, "Own certificate chain (PEM); switches TLS on.")
    tls_key: Path | None = _key(_ACCESS, OptionalPath(), None, "Private key of the certificate (PEM).")
    tls_client_ca: Path | None = _key(
        _ACCESS,
        OptionalPath(),
        None,
        "Certificates (PEM) of those who may sign for clients; a client certificate is then required.",
    )
    called_aets: tuple[str, ...] = _key(
        _ACCESS, Many(Title(wild=True)), (), "Called AE titles accepted, as patterns; none means any."
    )
    calling_aets: tuple[str, ...] = _key(
        _ACCESS, Many(Title(wild=True)), (), "Calling AE titles accepted, as patterns; none means any."
    )
    users: tuple[User, ...] = _key(_ACCESS, Many(UserKind()), (), "Users for user identity negotiation.")
    user_identity: Literal["auto", "accept", "check", "require"] = _key(
        _ACCESS,
        Choice(("auto", "accept", "check", "require")),
        "auto",
        "accept takes any identity, check refuses a wrong one, require also a missing one; "
        "auto is check when there are users, otherwise accept.",
    )

    record: bool = _key(
        _RECORDING, Flag(), True, "Record every byte that comes and goes, in a file that Wireshark opens as it is."
    )
    recordings: Path | None = _key(
        _RECORDING,
        OptionalPath(),
        None,
        "Folder of the recordings; without it recordings/ in the storage folder, and nothing is recorded with memory.",
    )
    recording_size: int = _key(
        _RECORDING, Size(65_536, 2**50), 2**30, "Size at which a recording goes on in another file; 0 is never."
    )
    recordings_total: int = _key(
        _RECORDING,
        Size(0, 2**60),
        10 * 2**30,
        "Size of all recordings of the folder together; beyond it the oldest are deleted. 0 sets no limit.",
    )

    http: int | str = _key(
        _CONTROL,
        Port(),
        "auto",
        "TCP port of the control API (HTTP); 0 takes a free one. auto: serve takes 8112, or a free one when that is in "
        "use or the DICOM port is 0; within another Python program it is off.",
    )
    http_host: str = _key(_CONTROL, Host(), "127.0.0.1", "Address the control API listens on.")
    http_token: str = _key(
        _CONTROL,
        Secret(),
        "",
        "What clients of the control API must send (Authorization: Bearer TOKEN); needed when others can reach it.",
    )

    log_format: Literal["text", "json"] = _key(
        _OUTPUT, Choice(("text", "json")), "text", "Lines for people, or one JSON object per line."
    )
    verbose: int = _key(_OUTPUT, Whole(0, 9), 0, "How much is told; -v adds associations, -vv more.")

    def __post_init__(self) -> None:
        problems: list[tuple[str, str]] = []
        for option in schema().values():
            try:
                object.__setattr__(self, option.name, option.kind.read(getattr(self, option.name)))
            except Refused as no:
                problems += [(option.name, text) for _, text in no.problems]
        if not problems:
            problems = list(_contradictions(self))
        if problems:
            raise InvalidOptionsError(problems)

    @property
    def identity_rule(self) -> Literal["accept", "check", "require"]:
        """What happens to a user identity, with ``auto`` resolved."""
        if self.user_identity == "auto":
            return "check" if self.users else "accept"
        return self.user_identity

    @property
    def recordings_folder(self) -> Path | None:
        """Where to record, None for not at all."""
        if not self.record or (self.memory and self.recordings is None):
            return None
        return self.recordings or self.storage / "recordings"

    def but(self, **changes: Any) -> Options:
        """The same options with some values changed. Raises `ConfigurationError` on an unknown name."""
        unknown = [(name, f"no such option{nearest(name, schema())}") for name in changes if name not in schema()]
        if unknown:
            raise InvalidOptionsError(unknown)
        return dataclasses.replace(self, **changes)


class InvalidOptionsError(ConfigurationError):
    """Options that cannot be; ``problems`` are pairs of a name and a sentence."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{name}: {text}" for name, text in problems))
        self.problems = problems


@cache
def schema() -> Mapping[str, Option]:
    """All options by name, in the order of the manual."""
    return {
        field.name: Option(name=field.name, default=field.default, **field.metadata)
        for field in dataclasses.fields(Options)
    }


def _contradictions(options: Options) -> Iterator[tuple[str, str]]:
    """What each value allows and all together do not."""
    if options.tls_cert is not None and options.tls_key is None:
        yield "tls_cert", "a certificate needs its private key: set tls_key too"
    if options.tls_key is not None and options.tls_cert is None:
        yield "tls_key", "a private key needs its certificate: set tls_cert too"
    if options.tls_client_ca is not None and options.tls_cert is None:
        yield "tls_client_ca", "client certificates are only asked for with TLS: set tls_cert and tls_key too"
    if options.http != OFF and not options.http_token and not _is_loopback(options.http_host):
        yield (
            "http_token",
            f"other machines reach {quoted(options.http_host)} (http_host): set http_token, or http: off",
        )
    if options.user_identity in ("check", "require") and not options.users:
        yield "user_identity", f"{quoted(options.user_identity)} needs users to compare with: set users too"


def _is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host; a name other than localhost may mean anything."""
    if host.lower() in ("127.0.0.1", "::1", "localhost"):
        return True
    from ipaddress import ip_address  # only wanted when somebody says something unusual

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
