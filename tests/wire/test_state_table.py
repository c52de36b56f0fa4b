from __future__ import annotations

from itertools import product

import pytest

from mockpacs.errors import LocalProtocolError
from mockpacs.wire.machine import AcceptedContext, Machine, Role
from mockpacs.wire.malformed import AbortReason, Malformed
from mockpacs.wire.pdu import Abort, AssociateRJ, ReleaseRP, ReleaseRQ, encode
from mockpacs.wire.state_table import TRANSITIONS, Action, Event, State
from tests.wire.samples import AC, RQ

# Table 9-10 of PS3.8 written down a second time, state by state: event:action, events joined by commas.
SECOND_TRANSCRIPTION = {
    1: "1:AE-1 5:AE-5",
    2: "3,4,10,12,13,19:AA-1 6:AE-6 16,18:AA-2 17:AA-5",
    3: "3,4,6,10,12,13,19:AA-8 7:AE-7 8:AE-8 15:AA-1 16:AA-3 17:AA-4",
    4: "2:AE-2 15:AA-2 17:AA-4",
    5: "3:AE-3 4:AE-4 6,10,12,13,19:AA-8 15:AA-1 16:AA-3 17:AA-4",
    6: "3,4,6,13,19:AA-8 9:DT-1 10:DT-2 11:AR-1 12:AR-2 15:AA-1 16:AA-3 17:AA-4",
    7: "3,4,6,19:AA-8 10:AR-6 12:AR-8 13:AR-3 15:AA-1 16:AA-3 17:AA-4",
    8: "3,4,6,10,12,13,19:AA-8 9:AR-7 14:AR-4 15:AA-1 16:AA-3 17:AA-4",
    9: "3,4,6,10,12,13,19:AA-8 14:AR-9 15:AA-1 16:AA-3 17:AA-4",
    10: "3,4,6,10,12,19:AA-8 13:AR-10 15:AA-1 16:AA-3 17:AA-4",
    11: "3,4,6,10,12,19:AA-8 13:AR-3 15:AA-1 16:AA-3 17:AA-4",
    12: "3,4,6,10,12,13,19:AA-8 14:AR-4 15:AA-1 16:AA-3 17:AA-4",
    13: "3,4,10,12,13:AA-6 6,19:AA-7 16,18:AA-2 17:AR-5",
}
SECOND = {
    (State(state), Event(int(event))): action
    for state, cells in SECOND_TRANSCRIPTION.items()
    for events, action in (cell.split(":") for cell in cells.split())
    for event in events.split(",")
}

# Tables 9-6 to 9-9: the state after each action, by role where the standard says so; None leaves it as it is.
NEXT: dict[str, int | None] = {
    "AE-1": 4, "AE-2": 5, "AE-3": 6, "AE-4": 1, "AE-5": 2, "AE-6": 3, "AE-7": 6, "AE-8": 13,
    "DT-1": 6, "DT-2": 6,
    "AR-1": 7, "AR-2": 8, "AR-3": 1, "AR-4": 13, "AR-5": 1, "AR-6": 7, "AR-7": 8, "AR-9": 11, "AR-10": 12,
    "AA-1": 13, "AA-2": 1, "AA-3": 1, "AA-4": 1, "AA-5": 1, "AA-6": 13, "AA-7": 13, "AA-8": 13,
}  # fmt: skip
STARTS_ARTIM = {"AE-5", "AE-8", "AR-4", "AA-1", "AA-8"}
STOPS_ARTIM = {"AE-6", "AR-5", "AA-2", "AA-5"}
CLOSES = {"AE-4", "AR-3", "AA-2", "AA-3"}
SENDS = {"AE-2", "AE-7", "AE-8", "DT-1", "AR-1", "AR-4", "AR-7", "AR-9", "AA-1", "AA-7", "AA-8"}

SUBJECTS: dict[Event, object] = {
    Event.ASSOCIATE_REQUEST: RQ,
    Event.ASSOCIATE_AC_PDU: AC,
    Event.ASSOCIATE_RJ_PDU: AssociateRJ(1, 1, 1),
    Event.ASSOCIATE_RQ_PDU: RQ,
    Event.ASSOCIATE_ACCEPT: AC,
    Event.ASSOCIATE_REJECT: AssociateRJ(1, 1, 1),
    Event.P_DATA_REQUEST: [b"pdu"],
    Event.P_DATA_PDU: memoryview(b"\0\0\0\2\1\1"),  # an empty fragment of a command: nothing is complete yet
    Event.RELEASE_RQ_PDU: ReleaseRQ(),
    Event.RELEASE_RP_PDU: ReleaseRP(),
    Event.ABORT_REQUEST: Abort(0, 0),
    Event.ABORT_PDU: Abort(0, 0),
    Event.INVALID_PDU: Malformed(None, "nonsense", AbortReason.UNRECOGNIZED_PDU),
}


def machine_in(state: State, role: Role) -> Machine:
    machine = Machine(role, 1000)
    machine.step(Event.ASSOCIATE_REQUEST, RQ)  # what it will send when connected
    machine.state = state
    machine.artim_running = state in (State.STA2, State.STA13)
    machine.accepted[1] = AcceptedContext(1, "", "")
    return machine


def test_the_table_is_the_one_of_the_standard_transcribed_twice() -> None:
    assert {cell: action.value for cell, action in TRANSITIONS.items()} == SECOND


def test_the_table_is_the_one_pynetdicom_has() -> None:
    from pynetdicom.fsm import TRANSITION_TABLE

    ours = {(f"Evt{event}", f"Sta{state}"): action.value for (state, event), action in TRANSITIONS.items()}
    assert ours == TRANSITION_TABLE


def test_every_action_is_used() -> None:
    assert set(TRANSITIONS.values()) == set(Action)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("state", "event"), list(product(State, Event)), ids=lambda cell: cell.name)
def test_every_cell_does_what_tables_9_6_to_9_9_say(state: State, event: Event, role: Role) -> None:
    machine = machine_in(state, role)
    action = SECOND.get((state, event))
    if action is None:
        with pytest.raises(LocalProtocolError, match="table 9-10"):
            machine.step(event, SUBJECTS.get(event))
        assert (machine.state, machine.out, machine.happenings) == (state, [], [])
        return
    was_running = machine.artim_running
    machine.step(event, SUBJECTS.get(event))
    collision = 9 if role is Role.REQUESTOR else 10
    assert machine.state == NEXT.get(action, collision)
    assert bool(machine.out) is (action in SENDS)
    assert machine.should_close is (action in CLOSES)
    assert machine.artim_starts == (action in STARTS_ARTIM)
    if action in STARTS_ARTIM:
        assert machine.artim_running
    elif action in STOPS_ARTIM | CLOSES or machine.state is State.STA1:
        assert not machine.artim_running
    else:
        assert machine.artim_running is was_running


@pytest.mark.parametrize(
    "state", [state for state in State if SECOND.get((state, Event.INVALID_PDU)) in ("AA-1", "AA-8")]
)
def test_nonsense_is_answered_with_its_reason_and_the_unexpected_with_another(state: State) -> None:
    machine = machine_in(state, Role.ACCEPTOR)
    machine.step(Event.INVALID_PDU, Malformed(None, "nonsense", AbortReason.UNRECOGNIZED_PDU))
    assert machine.out == [encode(Abort(2, 1))]
    machine = machine_in(state, Role.ACCEPTOR)
    machine.step(Event.ASSOCIATE_RJ_PDU if state is not State.STA5 else Event.RELEASE_RP_PDU, ReleaseRP())
    assert machine.out == [encode(Abort(2, 2))]
