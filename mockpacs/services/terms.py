"""Accepting an association on the terms of a scenario: the honest answer, changed where the terms say so.

What they do not touch stays honest. That also goes for whether a class is served at all: a transfer syntax alone does
not open a context that nobody serves, ``result: accepted`` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from mockpacs.scenario.step import Accept, Context
from mockpacs.scenario.uids import SOP_CLASS, TRANSFER_SYNTAX, WORDS, uids_of
from mockpacs.services.negotiation import Refusal
from mockpacs.wire import AssociateAC, AssociateRQ, ContextAnswer, ProposedContext
from mockpacs.wire.transfer_syntaxes import EXPLICIT_LITTLE

_GLOB: Final = re.compile(r"[*?]")
_ABOUT_SYNTAX: Final = (Refusal.ACCEPTED, Refusal.TRANSFER_SYNTAXES)


def on_terms(request: AssociateRQ, honest: AssociateAC, accept: Accept) -> AssociateAC:
    """The answer on these terms; ``honest`` answers every proposed context, in the order of the proposal.

    Raises ValueError for a name that is no SOP class or transfer syntax.
    """
    contexts = honest.contexts
    if accept.contexts is not None:
        pairs = zip(request.contexts, honest.contexts, strict=True)
        contexts = tuple(_contexts(pairs, accept.contexts))
    user = honest.user if accept.max_pdu is None else replace(honest.user, max_pdu_length=accept.max_pdu)
    return replace(
        honest,
        called=honest.called if accept.called is None else accept.called,
        calling=honest.calling if accept.calling is None else accept.calling,
        contexts=contexts,
        user=user,
    )


def _contexts(
    pairs: Iterable[tuple[ProposedContext, ContextAnswer]], terms: tuple[Context, ...]
) -> Iterator[ContextAnswer]:
    for proposed, honest in pairs:
        term = next((term for term in terms if _fits(term, proposed)), None)
        if term is None:
            yield replace(honest, result=Refusal.ABSTRACT_SYNTAX)
        elif not term.omit:
            answer = _answer(term, proposed, honest)
            yield answer if term.id is None else replace(answer, context_id=term.id)


def _fits(term: Context, proposed: ProposedContext) -> bool:
    return any(proposed.abstract_syntax in uids_of(text, SOP_CLASS) for text in term.sop_class)


def _answer(term: Context, proposed: ProposedContext, honest: ContextAnswer) -> ContextAnswer:
    """One context on its terms, still with its own identifier."""
    if term.result is not None and term.result != Refusal.ACCEPTED:
        return replace(honest, result=term.result)
    must_accept = term.result is not None
    if not term.transfer_syntax:
        if not must_accept or honest.result == Refusal.ACCEPTED:
            return honest
        return replace(honest, result=Refusal.ACCEPTED, transfer_syntax=_first(proposed.transfer_syntaxes))
    if not must_accept and honest.result not in _ABOUT_SYNTAX:
        return honest
    chosen = _chosen(term.transfer_syntax, proposed.transfer_syntaxes, may_be_any=must_accept)
    if chosen is None:
        return replace(honest, result=Refusal.TRANSFER_SYNTAXES)
    return replace(honest, result=Refusal.ACCEPTED, transfer_syntax=chosen)


def _chosen(wanted: tuple[str, ...], proposed: tuple[str, ...], *, may_be_any: bool) -> str | None:
    """The first that was proposed. If none was, the first that is named, a lie; a glob or a word in passing names none.

    ``may_be_any``: the context is accepted whatever was proposed, so that words count as names too.
    """
    for text in wanted:
        uids = uids_of(text, TRANSFER_SYNTAX)
        fitting = next((uid for uid in proposed if uid in uids), None)
        if fitting is not None:
            return fitting
    for text in wanted:
        named = uids_of(text, TRANSFER_SYNTAX)
        if isinstance(named, frozenset) and not _GLOB.search(text) and (may_be_any or text.lower() not in WORDS):
            return str(min(named))
    return _first(proposed) if may_be_any else None


def _first(proposed: tuple[str, ...]) -> str:
    return next(iter(proposed), EXPLICIT_LITTLE)
