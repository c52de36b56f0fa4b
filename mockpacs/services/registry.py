"""Which service answers which request on which abstract syntax, and on what terms an abstract syntax is accepted."""

from __future__ import annotations

from functools import partial
from typing import Literal

from mockpacs.archive import Archive, Model, QueryOptions
from mockpacs.errors import StorageError
from mockpacs.services import query, retrieve, storage
from mockpacs.services.negotiation import Offer, store_unchanged
from mockpacs.services.query import QueryService
from mockpacs.services.request import Service, WritingService
from mockpacs.services.retrieve import (
    COMPOSITE_ROOT_GET,
    COMPOSITE_ROOT_MOVE,
    WITHOUT_BULK_DATA_GET,
    RetrieveOptions,
    RetrieveService,
)
from mockpacs.services.sop_classes import is_storage
from mockpacs.services.storage import StorageService
from mockpacs.services.verification import VERIFICATION, VerificationService
from mockpacs.wire.transfer_syntaxes import DEFLATED, EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE

# What identifiers can be read and written in. Explicit first: it keeps the VR of private keys.
_OWN = (EXPLICIT_LITTLE, IMPLICIT_LITTLE, DEFLATED, EXPLICIT_BIG)


def _ours(proposed: tuple[str, ...]) -> str | None:
    return next((uid for uid in _OWN if uid in proposed), None)


_BY_DEFAULT = RetrieveOptions()


class Registry:
    """The services of one server."""

    def __init__(
        self, archive: Archive, query_options: QueryOptions, retrieve_options: RetrieveOptions = _BY_DEFAULT
    ) -> None:
        self._storage = StorageService(archive)
        self._storage_offer = Offer(store_unchanged, both_roles=True, agree=storage.agree, held=partial(_held, archive))
        self._services: dict[tuple[str, str], Service] = {(VERIFICATION, "C-ECHO"): VerificationService()}
        self._offers: dict[str, Offer] = {VERIFICATION: Offer(_ours)}
        for model in Model:
            self._services[model.find_uid, "C-FIND"] = QueryService(archive, model, query_options)
            self._offers[model.find_uid] = Offer(_ours, agree=query.agree)
        self._add_retrieves(archive, retrieve_options)

    def _add_retrieves(self, archive: Archive, options: RetrieveOptions) -> None:
        def add(uid: str, model: Model | None, service: Literal["C-GET", "C-MOVE"], *, bulk_data: bool = True) -> None:
            self._services[uid, service] = RetrieveService(archive, model, service, options, bulk_data)
            # Extended negotiation belongs to the models of PS3.4 Annex C; Y.5 and Z.5 know none.
            self._offers[uid] = Offer(_ours, agree=retrieve.agree if model else None)

        for model in Model:
            add(model.move_uid, model, "C-MOVE")
            add(model.get_uid, model, "C-GET")
        add(COMPOSITE_ROOT_MOVE, None, "C-MOVE")
        add(COMPOSITE_ROOT_GET, None, "C-GET")
        add(WITHOUT_BULK_DATA_GET, None, "C-GET", bulk_data=False)

    @property
    def storage(self) -> WritingService:
        """The one service that writes."""
        return self._storage

    def offer(self, abstract_syntax: str) -> Offer | None:
        """On what terms this abstract syntax is accepted, None when it is not."""
        found = self._offers.get(abstract_syntax)
        return found or (self._storage_offer if is_storage(abstract_syntax) else None)

    def find(self, abstract_syntax: str, service: str) -> Service | None:
        """Who answers this service on a context of this abstract syntax, None when nobody does."""
        if service == "C-STORE":
            return self._storage if is_storage(abstract_syntax) else None
        return self._services.get((abstract_syntax, service))


def _held(archive: Archive, sop_class: str) -> list[str]:
    """The transfer syntaxes of what is stored of a SOP class. An unreadable index must not cost the association."""
    try:
        return archive.syntaxes_of(sop_class)
    except StorageError:
        return []
