"""The events of a proxied pair under a scenario: who connects, asks, leaves; what rules decide about that."""

from __future__ import annotations

from dataclasses import replace

from mockpacs.net.cue import event_cue
from mockpacs.net.proxy.asked import Asked
from mockpacs.net.proxy.notes import Notes
from mockpacs.net.theatre import Theatre
from mockpacs.scenario.decision import Decision
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.scenario.telling import told
from mockpacs.wire import AssociateAC, AssociateRQ
from mockpacs.wire.conversation import Conversation


class Usher:
    """Of one pair."""

    def __init__(self, theatre: Theatre, notes: Notes, talk: Conversation) -> None:
        """``talk``: what the two sides agreed on."""
        self._theatre = theatre
        self._notes = notes
        self._talk = talk
        self._requested: tuple[Stimulus, str] | None = None
        self._has_seen_close = False

    def asks(self, kind: str, request: AssociateRQ | None = None, asked: Asked | None = None) -> Decision | None:
        """What a rule wants at this event, None when none does. `settle` must follow for a ``request``."""
        engine, association = self._theatre.engine, self._notes.association
        if request is not None:
            association = replace(association, calling=request.calling, called=request.called)
        cue = event_cue(kind, association, request)
        if asked is not None:
            cue = replace(cue, exchange=asked.number, sop_classes=(asked.context.abstract_syntax,))
        decision = engine.decide(cue) if engine.cast.concerns(kind) else None
        rule = decision.rule if decision else ""
        self._has_seen_close = self._has_seen_close or kind == "close"
        if request is not None:
            self._requested = cue, rule  # told when it is known what was refused
        else:
            engine.reported(cue, rule)
        return decision

    def announce(self, kind: str, decision: Decision) -> None:
        """Tell what fired."""
        what = told(decision)
        self._notes.tell("scenario", f'rule "{decision.rule}" at {kind}{f": {what}" if what else ""}')

    def settle(self) -> None:
        """The association request is answered, or never will be."""
        if self._requested is not None:
            (cue, rule), self._requested = self._requested, None
            served = {context.abstract_syntax for context in self._talk.accepted.values()}
            refused = tuple(uid for uid in cue.sop_classes if uid not in served)
            is_accepted = isinstance(self._talk.answer, AssociateAC)
            self._theatre.engine.reported(replace(cue, refused=refused if is_accepted else ()), rule)

    def end(self) -> None:
        """The pair is gone; its end counts, also where no FIN was seen."""
        if not self._has_seen_close:
            self.asks("close")
        self.settle()
