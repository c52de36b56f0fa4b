"""Checks of A-ASSOCIATE-AC against the request it answers: nothing more than proposed (PS3.8 9.3.3, PS3.7 D.3.3)."""

from __future__ import annotations

from mockpacs.traffic.findings.association import Add, check_user
from mockpacs.traffic.findings.words import quoted
from mockpacs.wire import AssociateAC, AssociateRQ, AsynchronousOperations


def check_answer(ac: AssociateAC, rq: AssociateRQ | None, add: Add) -> None:
    """Look at an A-ASSOCIATE-AC; ``rq`` None: the request was not seen, so only what stands for itself is judged."""
    check_user(ac.user, "PS3.8 9.3.3", add)
    for answer in ac.contexts:
        if answer.result > 4:
            text = f"presentation context {answer.context_id} is answered with result {answer.result}"
            add("context-result", text, "")
    if rq is None:
        return
    _check_titles(ac, rq, add)
    _check_contexts(ac, rq, add)
    _check_roles(ac, rq, add)
    _check_window(ac, rq, add)
    _check_unasked(ac, rq, add)


def _check_titles(ac: AssociateAC, rq: AssociateRQ, add: Add) -> None:
    for what, asked, returned in (("called", rq.called, ac.called), ("calling", rq.calling, ac.calling)):
        if asked != returned:
            add("title-not-returned", f"the {what} AE title {quoted(asked)} came back as {quoted(returned)}", "")


def _check_contexts(ac: AssociateAC, rq: AssociateRQ, add: Add) -> None:
    proposed = {context.context_id: context for context in reversed(rq.contexts)}
    answered: set[int] = set()
    for number, result, transfer_syntax in ((x.context_id, x.result, x.transfer_syntax) for x in ac.contexts):
        context = proposed.get(number)
        if context is None:
            add("context-not-proposed", f"presentation context {number} is answered, nobody proposed it", "")
        elif number in answered:
            add("context-not-proposed", f"presentation context {number} is answered twice", "")
        elif result == 0 and transfer_syntax not in context.transfer_syntaxes:
            what = quoted(transfer_syntax) if transfer_syntax else "no transfer syntax"
            text = f"presentation context {number} is accepted with {what}, which was not proposed"
            add("transfer-syntax-not-proposed", text, "")
        answered.add(number)
    for number in proposed.keys() - answered:
        add("context-not-answered", f"presentation context {number} was proposed and not answered", "")


def _check_roles(ac: AssociateAC, rq: AssociateRQ, add: Add) -> None:
    asked = {role.sop_class: role for role in rq.user.roles}
    for role in ac.user.roles:
        wanted = asked.get(role.sop_class)
        if wanted is None:
            text = f"a role selection for {quoted(role.sop_class)}, which was not asked for"
            add("negotiation-unasked", text, "PS3.7 D.3.3.4")
            continue
        for name, was_wanted, is_given in (("SCU", wanted.scu, role.scu), ("SCP", wanted.scp, role.scp)):
            if is_given and not was_wanted:
                text = f"the role {name} for {quoted(role.sop_class)} is accepted, it was not proposed"
                add("role-not-proposed", text, "")


def _check_window(ac: AssociateAC, rq: AssociateRQ, add: Add) -> None:
    given, asked = ac.user.asynchronous_operations, rq.user.asynchronous_operations
    if given is None:
        return
    if asked is None:
        add("negotiation-unasked", "an asynchronous operations window, which was not asked for", "PS3.7 D.3.3.3")
        asked = AsynchronousOperations()
    pairs = (("invoked", asked.invoked, given.invoked), ("performed", asked.performed, given.performed))
    for name, most, number in pairs:
        if most and (number == 0 or number > most):
            add("window-too-large", f"operations {name}: {number or 'unlimited'}, {most} proposed", "")


def _check_unasked(ac: AssociateAC, rq: AssociateRQ, add: Add) -> None:
    asked = {one.sop_class for one in rq.user.extended}
    for one in ac.user.extended:
        if one.sop_class not in asked:
            text = f"an extended negotiation for {quoted(one.sop_class)}, which was not asked for"
            add("negotiation-unasked", text, "PS3.7 D.3.3.5")
    if ac.user.common_extended:
        add("negotiation-unasked", "a common extended negotiation, which has no answer", "PS3.7 D.3.3.6")
    identity = rq.user.user_identity
    if ac.user.user_identity is not None:
        add("negotiation-unasked", "a user identity, which only a requestor has", "PS3.7 D.3.3.7")
    if ac.user.identity_response is not None and not (identity and identity.positive_response_requested):
        why = "no positive response was requested" if identity else "there was no user identity"
        add("negotiation-unasked", f"a user identity response, but {why}", "PS3.7 D.3.3.7")
