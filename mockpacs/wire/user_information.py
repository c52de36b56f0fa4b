"""The User Information item (50H) of A-ASSOCIATE-RQ and -AC: PS3.8 9.3.2.3, D.1 and PS3.7 D.3.3.

All sub-items are coded here, not by pynetdicom: importing it costs 200 ms, which the first association with an
extended negotiation would pay in the event loop, and its codecs refuse values the standard asks to ignore.
A sub-item that is unknown, or known but unreadable, is kept in ``unknown`` and never refused (PS3.8 9.3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

from mockpacs.wire.item import ItemError, counted, decode_text, encode_text, item, take_counted, walk

_LENGTH = Struct(">I")
_WINDOW = Struct(">HH")

_MAXIMUM_LENGTH = 0x51
_IMPLEMENTATION_CLASS = 0x52
_ASYNCHRONOUS_OPERATIONS = 0x53
_ROLE_SELECTION = 0x54
_IMPLEMENTATION_VERSION = 0x55
_EXTENDED_NEGOTIATION = 0x56
_COMMON_EXTENDED_NEGOTIATION = 0x57
_USER_IDENTITY = 0x58
_USER_IDENTITY_RESPONSE = 0x59


@dataclass(frozen=True, slots=True)
class AsynchronousOperations:
    """Asynchronous operations window (PS3.7 D.3.3.3): how many may be outstanding; 0 is unlimited, 1 the default."""

    invoked: int = 1
    performed: int = 1


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """SCP/SCU role selection (PS3.7 D.3.3.4): the roles of the association *requestor* for one SOP class."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """SOP class extended negotiation (PS3.7 D.3.3.5): ``information`` is defined by the service class."""

    sop_class: str
    information: bytes


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """SOP class common extended negotiation (PS3.7 D.3.3.6); only in an A-ASSOCIATE-RQ."""

    sop_class: str
    service_class: str
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User identity (PS3.7 D.3.3.7): kind 1 user name, 2 with passcode, 3 Kerberos, 4 SAML, 5 JWT.

    ``primary`` and ``secondary`` are what the peer sent, undecoded; neither appears in ``repr``, they are secrets.
    """

    kind: int
    positive_response_requested: bool = False
    primary: bytes = field(default=b"", repr=False)
    secondary: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """What an application says about itself; an attribute the peer left out has its default.

    ``max_pdu_length`` is in bytes and limits what may be sent to the one who says it; 0 is no limit (PS3.8 D.1).
    """

    max_pdu_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    asynchronous_operations: AsynchronousOperations | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    common_extended: tuple[CommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentity | None = None
    identity_response: bytes | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()


def encode_user_information(user: UserInformation) -> bytes:
    """Encode the value of item 50H (without its own header)."""
    parts = [item(_MAXIMUM_LENGTH, _LENGTH.pack(user.max_pdu_length))]
    if user.implementation_class_uid:
        parts.append(item(_IMPLEMENTATION_CLASS, encode_text(user.implementation_class_uid)))
    if window := user.asynchronous_operations:
        parts.append(item(_ASYNCHRONOUS_OPERATIONS, _WINDOW.pack(window.invoked, window.performed)))
    parts += [item(_ROLE_SELECTION, _encode_role(role)) for role in user.roles]
    if user.implementation_version_name:
        parts.append(item(_IMPLEMENTATION_VERSION, encode_text(user.implementation_version_name)))
    parts += [item(_EXTENDED_NEGOTIATION, counted(encode_text(x.sop_class)) + x.information) for x in user.extended]
    parts += [item(_COMMON_EXTENDED_NEGOTIATION, _encode_common(common)) for common in user.common_extended]
    if user.user_identity:
        parts.append(item(_USER_IDENTITY, _encode_identity(user.user_identity)))
    if user.identity_response is not None:
        parts.append(item(_USER_IDENTITY_RESPONSE, counted(user.identity_response)))
    parts += [item(kind, value) for kind, value in user.unknown]
    return b"".join(parts)


def decode_user_information(data: bytes) -> UserInformation:
    """Decode the value of item 50H. Raises `ItemError` only when the sub-items do not fit into ``data``."""
    said: dict[str, Any] = {}
    for kind, value in walk(data, "user information"):
        name, decode, is_repeated = _DECODERS.get(kind, _UNKNOWN)
        try:
            decoded = decode(value) if decode else (kind, value)
        except (ItemError, IndexError):
            name, decoded, is_repeated = "unknown", (kind, value), True
        if is_repeated:
            said.setdefault(name, []).append(decoded)
        else:
            said[name] = decoded
    attributes: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in said.items()}
    return UserInformation(**attributes)


def _encode_role(role: RoleSelection) -> bytes:
    return counted(encode_text(role.sop_class)) + bytes((role.scu, role.scp))


def _decode_role(value: bytes) -> RoleSelection:
    sop_class, end = take_counted(value, 0, "role selection")
    return RoleSelection(decode_text(sop_class), value[end] != 0, value[end + 1] != 0)


def _decode_length(value: bytes) -> int:
    if len(value) != _LENGTH.size:
        raise ItemError("maximum length: not four bytes")
    return int.from_bytes(value, "big")


def _decode_window(value: bytes) -> AsynchronousOperations:
    if len(value) != _WINDOW.size:
        raise ItemError("asynchronous operations window: not four bytes")
    return AsynchronousOperations(*_WINDOW.unpack(value))


def _decode_extended(value: bytes) -> ExtendedNegotiation:
    sop_class, end = take_counted(value, 0, "extended negotiation")
    return ExtendedNegotiation(decode_text(sop_class), value[end:])


def _encode_common(common: CommonExtendedNegotiation) -> bytes:
    related = b"".join(counted(encode_text(uid)) for uid in common.related)
    return counted(encode_text(common.sop_class)) + counted(encode_text(common.service_class)) + counted(related)


def _decode_common(value: bytes) -> CommonExtendedNegotiation:
    where = "common extended negotiation"
    sop_class, end = take_counted(value, 0, where)
    service_class, end = take_counted(value, end, where)
    # the related classes are optional (Table D.3-12); some senders leave out even their length
    block, _ = take_counted(value, end, where) if end < len(value) else (b"", end)
    related, offset = [], 0
    while offset < len(block):
        uid, offset = take_counted(block, offset, where)
        related.append(decode_text(uid))
    return CommonExtendedNegotiation(decode_text(sop_class), decode_text(service_class), tuple(related))


def _encode_identity(identity: UserIdentity) -> bytes:
    head = bytes((identity.kind, identity.positive_response_requested))
    return head + counted(identity.primary) + counted(identity.secondary)


def _decode_identity(value: bytes) -> UserIdentity:
    primary, end = take_counted(value, 2, "user identity")
    # the secondary field belongs to kind 2; other kinds may end before its length
    secondary, _ = take_counted(value, end, "user identity") if end < len(value) else (b"", end)
    return UserIdentity(value[0], value[1] != 0, primary, secondary)


def _decode_identity_response(value: bytes) -> bytes:
    return take_counted(value, 0, "user identity response")[0]


_Decoder = Callable[[bytes], object]

# sub-item type: (attribute of UserInformation, decoder, may it appear more than once)
_DECODERS: dict[int, tuple[str, _Decoder | None, bool]] = {
    _MAXIMUM_LENGTH: ("max_pdu_length", _decode_length, False),
    _IMPLEMENTATION_CLASS: ("implementation_class_uid", decode_text, False),
    _ASYNCHRONOUS_OPERATIONS: ("asynchronous_operations", _decode_window, False),
    _ROLE_SELECTION: ("roles", _decode_role, True),
    _IMPLEMENTATION_VERSION: ("implementation_version_name", decode_text, False),
    _EXTENDED_NEGOTIATION: ("extended", _decode_extended, True),
    _COMMON_EXTENDED_NEGOTIATION: ("common_extended", _decode_common, True),
    _USER_IDENTITY: ("user_identity", _decode_identity, False),
    _USER_IDENTITY_RESPONSE: ("identity_response", _decode_identity_response, False),
}
_UNKNOWN: tuple[str, _Decoder | None, bool] = ("unknown", None, True)
