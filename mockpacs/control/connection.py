"""An association that a test opens from the server to a peer: to ask what the peer answers, and see it recorded."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from mockpacs.archive import Model, StoredInstance
from mockpacs.control.proposal import parcel, proposals, uid_of
from mockpacs.errors import AssociationError, ConfigurationError, LocalProtocolError
from mockpacs.net.asking import Response, Unanswered
from mockpacs.net.dialer import MOST_CONTEXTS
from mockpacs.net.requestor import NotAssociated, Requestor
from mockpacs.services.verification import VERIFICATION
from mockpacs.traffic.render import number_of
from mockpacs.wire import AcceptedContext, CommandField, Encoding, Tag, Value
from mockpacs.wire.dictionary import uid_name
from mockpacs.wire.status import name_of
from mockpacs.written.kinds import Refused
from mockpacs.written.uids import SOP_CLASS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from mockpacs.control.desk import Desk

_USUAL: Final = (VERIFICATION, *(uid for model in Model for uid in (model.find_uid, model.move_uid, model.get_uid)))


class Reply:
    """One response of a peer."""

    def __init__(self, service: str, response: Response, transfer_syntax: str) -> None:
        self.command = response.command
        """Its command set."""
        self.status = response.command.status
        """The status, None when the response has none."""
        self._service = service
        self._data = response.data
        self._transfer_syntax = transfer_syntax

    @property
    def status_name(self) -> str:
        """The name of the status."""
        return "no status" if self.status is None else name_of(self.status, self._service)

    @property
    def comment(self) -> str:
        """Its Error Comment (0000,0902), "" without one."""
        return self.command.error_comment or ""

    @property
    def dataset(self) -> Dataset | None:
        """Its data set, None without one. Raises ValueError when it cannot be read."""
        from mockpacs.services.decoding import decode

        return None if self._data is None else decode(self._data, self._transfer_syntax)

    def __repr__(self) -> str:
        code = "" if self.status is None else f" {self.status:04X}"
        return f"<{self._service}-RSP{code} {self.status_name}>"


class Connection:
    """Made by `Steering.connect`; a context manager that releases it. Its methods block, and work in any thread.

    One request is open at a time: a second thread waits until the first has its answer.
    """

    def __init__(self, desk: Desk, requestor: Requestor) -> None:
        self._desk = desk
        self._requestor = requestor
        self._turn = threading.Lock()

    def __repr__(self) -> str:
        """``<Connection to WORKSTATION at 127.0.0.1:11113, 3 contexts accepted>``"""
        association = self._requestor.association
        accepted = number_of(len(self.contexts), "context")
        over = "" if self._requestor.can_send else ", over"
        return f"<Connection to {association.called} at {association.server}, {accepted} accepted{over}>"

    @property
    def contexts(self) -> Sequence[AcceptedContext]:
        """The presentation contexts that the peer accepted."""
        return tuple(self._requestor.accepted.values())

    def echo(self) -> Reply:
        """C-ECHO."""
        return self.ask("C-ECHO", VERIFICATION)[-1]

    def store(self, what: str | os.PathLike[str] | Dataset | StoredInstance, **elements: Value) -> Reply:
        """C-STORE a file, a Dataset or an instance of the archive, in its own transfer syntax and byte for byte.

        ``elements`` of the command set by keyword: ``MoveOriginatorMessageID=7``.
        """
        meta, blocks = parcel(what)
        context = self._context(meta.sop_class, meta.transfer_syntax)
        said: dict[int, Value] = {
            Tag.AFFECTED_SOP_CLASS: meta.sop_class,
            Tag.AFFECTED_SOP_INSTANCE: meta.sop_instance,
            Tag.PRIORITY: 0,
        }
        return self._ask(context, CommandField.C_STORE_RQ, {**said, **_elements(elements)}, blocks)[-1]

    def find(
        self, identifier: Dataset | Mapping[Any, Any], model: str = "study-root", **elements: Value
    ) -> list[Reply]:
        """C-FIND in a model: study-root, patient-root or patient-study-only. All responses, the final one last."""
        models = {name.lower().replace("_", "-"): one for name, one in Model.__members__.items()}
        if model not in models:
            raise ConfigurationError(f"{model!r} is no query model: there are {', '.join(models)}")
        return self.ask("C-FIND", models[model].find_uid, identifier, Priority=0, **elements)

    def ask(
        self,
        service: str,
        sop_class: str,
        dataset: Dataset | Mapping[Any, Any] | bytes | None = None,
        **elements: Value,
    ) -> list[Reply]:
        """Any request: all responses, the final one last.

        ``service``: C-MOVE, N-ACTION...; ``sop_class``: a name, a keyword or a UID; ``dataset``: a pydicom Dataset,
        ``{keyword: value}``, or bytes that are sent as they are; ``elements`` of the command set by keyword:
        ``MoveDestination="WORKSTATION"``. Raises `AssociationError` when the peer does not answer.
        """
        field = _field(service)
        uid = uid_of(sop_class, SOP_CLASS)
        context = self._context(uid)
        names = Tag.REQUESTED_SOP_CLASS if service in _REQUESTED else Tag.AFFECTED_SOP_CLASS
        blocks = None if dataset is None else [_encoded(dataset, context.transfer_syntax)]
        return self._ask(context, field, {names: uid, **_elements(elements)}, blocks)

    def release(self) -> None:
        """End the association in order."""
        with self._turn:
            self._desk.wait(self._requestor.release())

    def abort(self) -> None:
        """A-ABORT."""
        self._desk.call(lambda: self._requestor.break_off("a test asked for it"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    def _ask(
        self,
        context: AcceptedContext,
        field: CommandField,
        elements: Mapping[int, Value],
        blocks: Iterable[bytes] | None,
    ) -> list[Reply]:
        try:
            with self._turn:
                responses = self._requestor.asking.ask(context, field, elements, blocks)
        except LocalProtocolError as wrong:
            raise ConfigurationError(f"{field.service} cannot be said like that: {wrong}") from wrong
        except Unanswered as lost:
            raise AssociationError(f"{field.service} was not answered: {lost}") from lost
        return [Reply(field.service, response, context.transfer_syntax) for response in responses]

    def _context(self, sop_class: str, transfer_syntax: str = "") -> AcceptedContext:
        fitting = [
            context
            for context in self.contexts
            if context.abstract_syntax == sop_class and transfer_syntax in ("", context.transfer_syntax)
        ]
        if fitting:
            return fitting[0]
        what = uid_name(sop_class)
        if transfer_syntax:
            what += f" in {uid_name(transfer_syntax)}"
        raise AssociationError(
            f"no presentation context was accepted for {what}; connect(peer, ...) proposes what it is told"
        )


_REQUESTED: Final = ("N-GET", "N-SET", "N-ACTION", "N-DELETE")
"""Services whose requests name the Requested SOP Class (PS3.7 10.3)."""


def connect(
    desk: Desk, title: str, what: Sequence[Any], calling: str, timeout_seconds: float | None = None
) -> Connection:
    """An association with a peer of this title. Blocks; raises `AssociationError`."""
    peer = desk.peers.called(title)
    contexts = list(proposals(what or _USUAL))
    if len(contexts) > MOST_CONTEXTS:
        raise ConfigurationError(f"{len(contexts)} presentation contexts, an association has {MOST_CONTEXTS} at most")
    try:
        opening = desk.peers.dialer.associate(peer, contexts, calling=calling, timeout_seconds=timeout_seconds)
        return Connection(desk, desk.wait(opening))
    except LocalProtocolError as wrong:
        raise ConfigurationError(f"an association cannot be asked for like that: {wrong}") from wrong
    except NotAssociated as no:
        raise AssociationError(f"no association with {peer.aet} at {peer.address}: {no}") from no


def _field(service: str) -> CommandField:
    name = f"{service.upper().replace('-', '_')}_RQ"
    if name not in CommandField.__members__ or name == "C_CANCEL_RQ":
        raise ConfigurationError(f"{service!r} is no DIMSE service that can be asked for")
    return CommandField[name]


def _elements(elements: Mapping[str, Value]) -> dict[int, Value]:
    known = {member.name.replace("_", "").lower(): member for member in Tag}
    said: dict[int, Value] = {}
    for keyword, value in elements.items():
        folded = (
            keyword.lower().removesuffix("uid") if keyword.lower().removesuffix("uid") in known else keyword.lower()
        )
        if folded not in known:
            raise ConfigurationError(f"{keyword!r} is no element of a command set")
        said[known[folded]] = value
    return said


def _encoded(dataset: Any, transfer_syntax: str) -> bytes:
    if isinstance(dataset, bytes):
        return dataset
    from mockpacs.scenario.answers import AnswerSet  # the language, loaded by who asks with a data set

    try:
        (encoded,) = AnswerSet.of(dataset).encoded(Encoding.of(transfer_syntax))
    except (Refused, ValueError) as no:
        why = "\n".join(text for _, text in no.problems) if isinstance(no, Refused) else str(no)
        raise ConfigurationError(f"this is no data set: {why}") from no
    return encoded
