"""On what terms recorded associations were accepted, as a rule says it: for one of them, or for all together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from mockpacs.archive import Model
from mockpacs.services.retrieve import COMPOSITE_ROOT_GET, COMPOSITE_ROOT_MOVE, WITHOUT_BULK_DATA_GET
from mockpacs.services.sop_classes import is_storage, is_uid
from mockpacs.services.verification import VERIFICATION
from mockpacs.traffic.dump.naming import uid_name
from mockpacs.wire import AssociateAC, AssociateRQ
from mockpacs.written.uids import SOP_CLASS, uids_of

_NO_ANSWER: Final = -1
"""The result of a context that was not answered at all."""
_WORDS: Final = {
    "1.2.840.10008.1.2": "implicit",
    "1.2.840.10008.1.2.1": "explicit",
    "1.2.840.10008.1.2.1.99": "deflated",
    "1.2.840.10008.1.2.2": "big",
}
_SERVED: Final = (VERIFICATION, COMPOSITE_ROOT_GET, COMPOSITE_ROOT_MOVE, WITHOUT_BULK_DATA_GET)


@dataclass(slots=True)
class Terms:
    """What became of each abstract syntax."""

    max_pdu: int
    accepted: dict[str, dict[tuple[str, tuple[str, ...]], None]] = field(default_factory=dict)
    """What was chosen of what was proposed, each choice once."""
    refused: dict[str, int] = field(default_factory=dict)
    """The result of a context that was not accepted; of an abstract syntax that has others too."""

    @classmethod
    def of(cls, request: AssociateRQ, answer: AssociateAC) -> Terms:
        """Those of one association."""
        found = cls(answer.user.max_pdu_length)
        for name, proposed, result, syntax in _answers(request, answer):
            if result:
                found.refused.setdefault(name, result)
            else:
                found.accepted.setdefault(name, {})[syntax, proposed] = None
        return found

    def wishes(self, sop_class: str) -> list[str]:
        """Transfer syntaxes, the best first: what was chosen stands before what it was preferred to."""
        return _ordered(self.accepted.get(sop_class, ()))

    def as_written(self) -> dict[str, Any]:
        """The value of ``accept``. What was not proposed then is answered as most of what was."""
        usual = self._usual()
        groups: dict[tuple[Any, ...], list[str]] = {}
        for sop_class, choices in self.accepted.items():
            is_partly, by_standard = sop_class in self.refused, is_served(sop_class)
            if is_partly or not by_standard or not _agrees(usual, choices):
                was_proposed = all(chosen in proposed for chosen, proposed in choices)
                wishes = (
                    _written(self.wishes(sop_class), or_any=not is_partly) if was_proposed else self.wishes(sop_class)
                )
                groups.setdefault((tuple(wishes), by_standard), []).append(sop_class)
        for sop_class, result in self.refused.items():
            if sop_class not in self.accepted:
                groups.setdefault((result,), []).append(sop_class)
        contexts: list[dict[str, Any]] = []
        for key, sop_classes in groups.items():
            term: dict[str, Any] = {"sop_class": [class_name(uid) for uid in sop_classes]}
            if len(key) == 1:
                contexts.append({**term, **({"omit": True} if key[0] == _NO_ANSWER else {"result": key[0]})})
            else:
                wishes, by_standard = key
                contexts.append(term | {"transfer_syntax": list(wishes)} | ({} if by_standard else {"result": 0}))
        others = {"sop_class": "*", "transfer_syntax": _written(usual, or_any=True)}
        return {"max_pdu": self.max_pdu, "contexts": [*contexts, others]}

    def _usual(self) -> list[str]:
        """The wishes that are right for most abstract syntaxes of those that are served anyway."""
        plain = [uid for uid in self.accepted if uid not in self.refused and is_served(uid)]
        known = dict.fromkeys(tuple(self.wishes(uid)) for uid in plain)
        known[tuple(_ordered([one for uid in plain for one in self.accepted[uid]]))] = None
        counted = {wishes: sum(_agrees(wishes, self.accepted[uid]) for uid in plain) for wishes in known}
        best: tuple[str, ...] = max(counted, key=counted.__getitem__) if counted else ()
        return list(best)


def merged(accepted: Sequence[tuple[AssociateRQ, AssociateAC]]) -> Terms | None:
    """Terms that hold for all of these associations; None where one was treated otherwise than another."""
    terms: Terms | None = None
    for request, answer in accepted:
        own = Terms.of(request, answer)
        if terms is None:
            terms = own
            continue
        if own.max_pdu != terms.max_pdu:
            return None
        for sop_class, choices in own.accepted.items():
            terms.accepted.setdefault(sop_class, {}).update(choices)
        terms.refused |= own.refused
    if terms is None:
        return None
    wishes = {sop_class: terms.wishes(sop_class) for sop_class in terms.accepted}
    return terms if all(_holds(terms, wishes, *one) for one in accepted) else None


def _agrees(wishes: Sequence[str], choices: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether these wishes choose what was chosen."""
    return all(next((one for one in wishes if one in proposed), None) == chosen for chosen, proposed in choices)


def _written(wishes: Iterable[str], *, or_any: bool) -> list[str]:
    """A UID is taken for an order to accept it even if nobody proposes it, a glob or a word for a wish."""
    return [*(_WORDS.get(uid, f"{uid}*") for uid in wishes), *(["*"] if or_any else [])]


def _ordered(choices: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """What was chosen, in an order that explains the choices, if there is one."""
    left = list(dict.fromkeys(chosen for chosen, _ in choices))
    found = []
    while left:
        best = next((one for one in left if not _is_second(one, left, choices)), left[0])
        left.remove(best)
        found.append(best)
    return found


def _is_second(one: str, left: Sequence[str], choices: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether something that is left was chosen although this was proposed."""
    return any(chosen != one and one in proposed and chosen in left for chosen, proposed in choices)


def _holds(terms: Terms, wishes: Mapping[str, Sequence[str]], request: AssociateRQ, answer: AssociateAC) -> bool:
    """Whether these terms give the answer that was given."""
    for name, proposed, result, syntax in _answers(request, answer):
        wished = next((one for one in wishes.get(name, ()) if one in proposed), None)
        if result and (wished is not None or (name in wishes and name not in terms.refused)):
            return False
        if not result and wished != syntax:
            return False
    return True


def _answers(request: AssociateRQ, answer: AssociateAC) -> Iterable[tuple[str, tuple[str, ...], int, str]]:
    """Each context: abstract syntax, what was proposed, result, and the transfer syntax of an accepted one."""
    results = {one.context_id: one for one in answer.contexts}
    for context in request.contexts:
        if not is_uid(context.abstract_syntax):
            continue  # a rule cannot name it
        found = results.get(context.context_id)
        if found is not None and not found.result and not is_uid(found.transfer_syntax):
            continue
        result = found.result if found is not None else _NO_ANSWER
        yield context.abstract_syntax, context.transfer_syntaxes, result, found.transfer_syntax if found else ""


@lru_cache(maxsize=1024)
def class_name(uid: str) -> str:
    """A SOP class by its name where that means no other, else its UID."""
    name = uid_name(uid) or ""
    try:
        is_exact = bool(name) and uids_of(name, SOP_CLASS) == frozenset((uid,))
    except ValueError:
        is_exact = False
    return name if is_exact else uid


def is_served(sop_class: str) -> bool:
    """Whether a server without a scenario would accept it."""
    return sop_class in _SERVED or Model.of(sop_class) is not None or is_storage(sop_class)
