"""What an exchange was about, in a few words for a person, from its request alone; the same text live and read back.

It never raises on what a peer sent, and never shortens control characters away: whoever prints it does that.
"""

from __future__ import annotations

from typing import Final

from mockpacs.traffic.identifier import describe_identifier
from mockpacs.traffic.render import shortened, size
from mockpacs.wire import AcceptedContext, Command, UserIdentity
from mockpacs.wire.dataset import Encoding, scan
from mockpacs.wire.text import values

HEAD: Final = 64 * 1024
"""Bytes of the data set of a C-STORE that are enough to say what it is."""
IDENTIFIER_HEAD: Final = 1 << 20
"""Bytes that are looked at of a data set that is small by nature: of anything but an instance."""

_MODALITY: Final = 0x00080060
_WANTED: Final = frozenset((_MODALITY,))
_DEFLATED_HEAD: Final = 4096
"""Bytes of a deflated data set that are looked at: a thousandfold inflated they are still bearable."""
_WITH_IDENTIFIER: Final = frozenset(("C-FIND", "C-GET", "C-MOVE"))


def subject_of(command: Command, context: AcceptedContext, head: bytes, count: int) -> str:
    """The subject of an exchange; ``head``: how its data set begins, see `head_size`; ``count``: all its bytes."""
    service = command.service
    if service == "C-STORE":
        return store_subject(modality_of(head, context), command.affected_sop_instance or "", count)
    if service in _WITH_IDENTIFIER:
        asked = describe_identifier(head, Encoding.of(context.transfer_syntax)) if head else ""
        target = command.move_destination
        return f"{asked} > {target}".lstrip() if target else asked
    return _normalized(command)


def head_size(command: Command) -> int:
    """How many bytes of the data set of a request are needed to say what it is about."""
    return HEAD if command.service == "C-STORE" else IDENTIFIER_HEAD


def store_subject(modality: str, instance: str, count: int) -> str:
    """``CT 1.2.840.113619.2....  524 kB``; a question mark where the data set names no modality."""
    return f"{modality or '?'} {shortened(instance)}  {size(count)}"


def modality_of(head: bytes, context: AcceptedContext) -> str:
    """Modality (0008,0060) of the data set that begins like this, "" when it does not say."""
    if not head:
        return ""
    encoding = Encoding.of(context.transfer_syntax)
    data = head[:_DEFLATED_HEAD] if encoding.deflated else head
    element = scan(data, encoding, stop=_MODALITY + 1, wanted=_WANTED).elements.get(_MODALITY)
    if element is None or element.vr == "SQ" or element.undefined_length:
        return ""
    return "\\".join(values(element.value, "CS"))


def user_of(identity: UserIdentity | None) -> str:
    """The user name of types 1 and 2, the kind of token of the others (PS3.7 D.3.3.7); never a secret."""
    if identity is None:
        return ""
    if identity.kind in (1, 2):
        return bytes(identity.primary).decode("utf-8", "replace")
    return {3: "Kerberos ticket", 4: "SAML assertion", 5: "JSON web token"}.get(identity.kind, f"type {identity.kind}")


def _normalized(command: Command) -> str:
    """``action 1 1.2.3`` for the services of PS3.7 10; nothing for a C-ECHO."""
    words = []
    if command.action_type is not None:
        words.append(f"action {command.action_type}")
    if command.event_type is not None:
        words.append(f"event {command.event_type}")
    if instance := command.affected_sop_instance or command.requested_sop_instance:
        words.append(instance)
    return " ".join(words)
