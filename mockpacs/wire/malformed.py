"""What a peer said that the standard does not allow, as a value, and the reasons an A-ABORT can give for it.

Nothing here is ever raised: a peer's nonsense is an answer to compute, not an error of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class AbortSource(IntEnum):
    """Who aborted the association (PS3.8 9.3.8)."""

    SERVICE_USER = 0
    RESERVED = 1
    SERVICE_PROVIDER = 2


class AbortReason(IntEnum):
    """Why the service provider aborted (PS3.8 9.3.8); meaningless for ``AbortSource.SERVICE_USER``."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    RESERVED = 3
    UNRECOGNIZED_PARAMETER = 4
    UNEXPECTED_PARAMETER = 5
    INVALID_PARAMETER = 6


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no PDU, no PDV or no command set.

    ``why`` is a sentence for a log, ``reason`` what to answer in the A-ABORT (source 2, PS3.8 9.3.8).
    """

    pdu_type: int | None
    why: str
    reason: int = AbortReason.INVALID_PARAMETER
