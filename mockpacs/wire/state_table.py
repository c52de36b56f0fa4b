"""The states, the events and the transition table of the upper layer, as PS3.8 9.2 prints them; pure data."""

from __future__ import annotations

from enum import Enum, IntEnum


class State(IntEnum):
    """PS3.8 tables 9-1 to 9-5. An IntEnum because its members are dictionary keys on the hot path."""

    STA1 = 1  # idle
    STA2 = 2  # transport connection open, awaiting A-ASSOCIATE-RQ
    STA3 = 3  # awaiting the local answer to it
    STA4 = 4  # awaiting the transport connection to open
    STA5 = 5  # awaiting A-ASSOCIATE-AC or -RJ
    STA6 = 6  # association established
    STA7 = 7  # awaiting A-RELEASE-RP
    STA8 = 8  # awaiting the local A-RELEASE response
    STA9 = 9  # release collision, requestor: awaiting the local A-RELEASE response
    STA10 = 10  # release collision, acceptor: awaiting A-RELEASE-RP
    STA11 = 11  # release collision, requestor: awaiting A-RELEASE-RP
    STA12 = 12  # release collision, acceptor: awaiting the local A-RELEASE response
    STA13 = 13  # awaiting the transport connection to close


class Event(IntEnum):
    """The rows of PS3.8 table 9-10."""

    ASSOCIATE_REQUEST = 1
    TRANSPORT_CONFIRMED = 2
    ASSOCIATE_AC_PDU = 3
    ASSOCIATE_RJ_PDU = 4
    TRANSPORT_INDICATED = 5
    ASSOCIATE_RQ_PDU = 6
    ASSOCIATE_ACCEPT = 7
    ASSOCIATE_REJECT = 8
    P_DATA_REQUEST = 9
    P_DATA_PDU = 10
    RELEASE_REQUEST = 11
    RELEASE_RQ_PDU = 12
    RELEASE_RP_PDU = 13
    RELEASE_RESPONSE = 14
    ABORT_REQUEST = 15
    ABORT_PDU = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(Enum):
    """The actions of PS3.8 tables 9-6 to 9-9; `upper_layer` says what each does."""

    AE_1 = "AE-1"
    AE_2 = "AE-2"
    AE_3 = "AE-3"
    AE_4 = "AE-4"
    AE_5 = "AE-5"
    AE_6 = "AE-6"
    AE_7 = "AE-7"
    AE_8 = "AE-8"
    DT_1 = "DT-1"
    DT_2 = "DT-2"
    AR_1 = "AR-1"
    AR_2 = "AR-2"
    AR_3 = "AR-3"
    AR_4 = "AR-4"
    AR_5 = "AR-5"
    AR_6 = "AR-6"
    AR_7 = "AR-7"
    AR_8 = "AR-8"
    AR_9 = "AR-9"
    AR_10 = "AR-10"
    AA_1 = "AA-1"
    AA_2 = "AA-2"
    AA_3 = "AA-3"
    AA_4 = "AA-4"
    AA_5 = "AA-5"
    AA_6 = "AA-6"
    AA_7 = "AA-7"
    AA_8 = "AA-8"


# PS3.8 table 9-10: a row per event, a column per state; "." is a cell the standard leaves empty.
# Sta    1    2    3    4    5    6    7    8    9    10    11   12   13
_TABLE_9_10 = """
    1    AE-1 .    .    .    .    .    .    .    .    .     .    .    .
    2    .    .    .    AE-2 .    .    .    .    .    .     .    .    .
    3    .    AA-1 AA-8 .    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
    4    .    AA-1 AA-8 .    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
    5    AE-5 .    .    .    .    .    .    .    .    .     .    .    .
    6    .    AE-6 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7
    7    .    .    AE-7 .    .    .    .    .    .    .     .    .    .
    8    .    .    AE-8 .    .    .    .    .    .    .     .    .    .
    9    .    .    .    .    .    DT-1 .    AR-7 .    .     .    .    .
    10   .    AA-1 AA-8 .    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
    11   .    .    .    .    .    AR-1 .    .    .    .     .    .    .
    12   .    AA-1 AA-8 .    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
    13   .    AA-1 AA-8 .    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6
    14   .    .    .    .    .    .    .    AR-4 AR-9 .     .    AR-4 .
    15   .    .    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1 AA-1 .
    16   .    AA-2 AA-3 .    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3 AA-3 AA-2
    17   .    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4 AA-4 AR-5
    18   .    AA-2 .    .    .    .    .    .    .    .     .    .    AA-2
    19   .    AA-1 AA-8 .    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7
"""


def _read(table: str) -> dict[tuple[State, Event], Action]:
    rows = (row.split() for row in table.strip().splitlines())
    return {
        (state, Event(int(number))): Action(cell)
        for number, *cells in rows
        for state, cell in zip(State, cells, strict=True)
        if cell != "."
    }


TRANSITIONS = _read(_TABLE_9_10)
"""What to do when an event meets a state; a pair that is absent cannot happen or must not be asked for."""
