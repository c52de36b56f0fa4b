"""The states of PS3.8 9.2 that one side can be in, as far as an observer can tell.

What passed the observer may not have arrived yet, so a side has several possible states: it is blamed only for what
none of them allows. The other way round there is no doubt: what has not passed the observer yet, nobody has received.
"""

from __future__ import annotations

from typing import Final

from mockpacs.wire import PduType, Role, State
from mockpacs.wire.state_table import TRANSITIONS, Action, Event

_SENT: Final = {
    PduType.ASSOCIATE_RQ: Event.TRANSPORT_CONFIRMED,
    PduType.ASSOCIATE_AC: Event.ASSOCIATE_ACCEPT,
    PduType.ASSOCIATE_RJ: Event.ASSOCIATE_REJECT,
    PduType.P_DATA_TF: Event.P_DATA_REQUEST,
    PduType.RELEASE_RQ: Event.RELEASE_REQUEST,
    PduType.RELEASE_RP: Event.RELEASE_RESPONSE,
    PduType.ABORT: Event.ABORT_REQUEST,
}
_HEARD: Final = {
    PduType.ASSOCIATE_RQ: Event.ASSOCIATE_RQ_PDU,
    PduType.ASSOCIATE_AC: Event.ASSOCIATE_AC_PDU,
    PduType.ASSOCIATE_RJ: Event.ASSOCIATE_RJ_PDU,
    PduType.P_DATA_TF: Event.P_DATA_PDU,
    PduType.RELEASE_RQ: Event.RELEASE_RQ_PDU,
    PduType.RELEASE_RP: Event.RELEASE_RP_PDU,
    PduType.ABORT: Event.ABORT_PDU,
}
# PS3.8 tables 9-6 to 9-9: the next state of each action.
_NEXT: Final = {
    **dict.fromkeys((Action.AE_4, Action.AR_3, Action.AR_5, Action.AA_2, Action.AA_3, Action.AA_4), State.STA1),
    Action.AE_1: State.STA4,
    Action.AE_2: State.STA5,
    Action.AE_5: State.STA2,
    Action.AE_6: State.STA3,
    **dict.fromkeys((Action.AE_3, Action.AE_7, Action.DT_1, Action.DT_2), State.STA6),
    **dict.fromkeys((Action.AR_1, Action.AR_6), State.STA7),
    **dict.fromkeys((Action.AR_2, Action.AR_7), State.STA8),
    Action.AR_9: State.STA11,
    Action.AR_10: State.STA12,
    **dict.fromkeys(
        (Action.AE_8, Action.AR_4, Action.AA_1, Action.AA_6, Action.AA_7, Action.AA_8),
        State.STA13,
    ),
}
# Where the table makes the receiver answer with an A-ABORT, it may be sent whatever was sent before.
_ABORTING: Final = frozenset({Action.AA_1, Action.AA_7, Action.AA_8})
_ENDED: Final = frozenset({State.STA1, State.STA13})
_WORDS: Final = {
    State.STA1: "after the association had ended",
    State.STA2: "before an A-ASSOCIATE-RQ",
    State.STA3: "before the answer to the A-ASSOCIATE-RQ",
    State.STA4: "before an A-ASSOCIATE-RQ",
    State.STA5: "before the answer to its A-ASSOCIATE-RQ",
    State.STA6: "in an established association",
    State.STA7: "after its own A-RELEASE-RQ",
    State.STA8: "after the A-RELEASE-RQ of the other side",
    State.STA9: "in a release collision",
    State.STA10: "in a release collision",
    State.STA11: "in a release collision, after its A-RELEASE-RP",
    State.STA12: "in a release collision",
    State.STA13: "after it had ended the association",
}


_MOST_HEARD: Final = 16


class Speaker:
    """One side of an association."""

    def __init__(self, role: Role) -> None:
        self._role = role
        # a possible state, and how much of what the other side said has arrived then
        self._possible = {(State.STA4 if role is Role.REQUESTOR else State.STA2, 0)}
        self._heard: list[Event] = []
        self._may_abort = False
        self._is_sure = True

    def forget(self) -> None:
        """Something was not captured: from now on every state is possible."""
        self._is_sure = False
        self._become(set(State))

    def sends(self, pdu_type: int) -> str:
        """Take a PDU this side sends. "" when one of its states allows it, else in which state it was, in words."""
        event = _SENT[PduType(pdu_type)]
        if event is Event.ABORT_REQUEST:
            return self._aborts()
        allowed = {(state, count) for state, count in self._possible if (state, event) in TRANSITIONS}
        # only who opened the connection may ask for the association, only who accepted it answers
        is_asking = event is Event.TRANSPORT_CONFIRMED
        if self._is_sure and pdu_type <= PduType.ASSOCIATE_RJ and is_asking is not (self._role is Role.REQUESTOR):
            allowed = set()
        if allowed:
            self._possible = {(self._after(state, event), count) for state, count in allowed}
            self._listen()
            return ""
        words = _WORDS[min(self._states() - {State.STA1}, default=State.STA1)]
        if event is Event.ASSOCIATE_ACCEPT:
            self._become({State.STA6})
        return words

    def hears(self, pdu_type: int) -> None:
        """Take a PDU the other side sent; it may or may not have arrived."""
        event = _HEARD[PduType(pdu_type)]
        self._may_abort |= any(TRANSITIONS.get((state, event)) in _ABORTING for state in self._states())
        if event is Event.P_DATA_PDU:
            return  # where it is expected it changes nothing
        if len(self._heard) == _MOST_HEARD:
            self.forget()
        self._heard.append(event)
        self._listen()

    def hears_nonsense(self) -> None:
        """Take bytes of the other side that are no PDU: an A-ABORT may be the answer."""
        self._may_abort = True

    @property
    def has_ended(self) -> bool:
        """Whether the association may be over for this side: it ended it, or was told so."""
        return not self._is_sure or bool(self._states() & _ENDED)

    @property
    def is_idle(self) -> bool:
        """Whether this side neither asked for an association nor was asked."""
        return self._states() <= {State.STA2, State.STA4}

    def where(self) -> str:
        """The state in words, taking for granted that what passed the observer has arrived."""
        return _WORDS[max(self._states() - _ENDED, default=State.STA1)]

    def _states(self) -> set[State]:
        return {state for state, _ in self._possible}

    def _become(self, states: set[State]) -> None:
        self._heard.clear()
        self._possible = {(state, 0) for state in states}

    def _aborts(self) -> str:
        words = "" if self._may_abort or self._states() - _ENDED else _WORDS[State.STA13]
        self._become({State.STA13})
        self._may_abort = False
        return words

    def _listen(self) -> None:
        """Add the states in which more of what was said has arrived."""
        waiting = list(self._possible)
        while waiting:
            state, count = waiting.pop()
            if count == len(self._heard):
                continue
            event = self._heard[count]
            later = (self._after(state, event) if (state, event) in TRANSITIONS else state, count + 1)
            if later not in self._possible:
                self._possible.add(later)
                waiting.append(later)

    def _after(self, state: State, event: Event) -> State:
        action = TRANSITIONS[state, event]
        if action is Action.AR_8:  # the only action whose next state depends on the role
            return State.STA9 if self._role is Role.REQUESTOR else State.STA10
        return _NEXT[action]
