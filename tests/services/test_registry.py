"""Who answers what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockpacs.archive import Archive, Model, QueryOptions
from mockpacs.errors import StorageError
from mockpacs.services.query import QueryService
from mockpacs.services.registry import Registry
from mockpacs.services.retrieve import RetrieveOptions, RetrieveService
from mockpacs.services.verification import VerificationService
from tests.archive.instances import store_one

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE = "1.2.826.0.1.3680043.9.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
ROOT_MOVE, ROOT_GET = "1.2.840.10008.5.1.4.1.2.4.2", "1.2.840.10008.5.1.4.1.2.4.3"
WITHOUT_BULK_DATA = "1.2.840.10008.5.1.4.1.2.5.3"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with Archive.open(None) as archive:
        yield Registry(archive, QueryOptions())


@pytest.mark.parametrize("uid", [CT, PRIVATE])
def test_storage_answers_stores_of_standard_and_private_classes(registry: Registry, uid: str) -> None:
    assert registry.find(uid, "C-STORE") is registry.storage
    assert registry.offer(uid) is registry.offer(CT)


@pytest.mark.parametrize("model", list(Model))
def test_every_model_has_its_own_query_service(registry: Registry, model: Model) -> None:
    service = registry.find(model.find_uid, "C-FIND")

    assert isinstance(service, QueryService)
    assert service.model is model
    assert registry.offer(model.find_uid) is not None


def test_verification_answers_echoes(registry: Registry) -> None:
    assert isinstance(registry.find(VERIFICATION, "C-ECHO"), VerificationService)


@pytest.mark.parametrize(
    ("uid", "service"),
    [
        (VERIFICATION, "C-STORE"),
        (Model.STUDY_ROOT.find_uid, "C-STORE"),
        (CT, "C-ECHO"),
        (CT, "C-FIND"),
        (WORKLIST, "C-FIND"),
        (Model.STUDY_ROOT.move_uid, "C-GET"),
        (Model.STUDY_ROOT.get_uid, "C-MOVE"),
        (Model.STUDY_ROOT.get_uid, "C-FIND"),
        (WITHOUT_BULK_DATA, "C-MOVE"),
        ("1.2.840.10008.5.1.4.1.2.5.2", "C-MOVE"),
        (VERIFICATION, "N-EVENT-REPORT"),
        ("", "C-STORE"),
        ("", "C-ECHO"),
    ],
)
def test_nobody_answers_what_does_not_belong_together(registry: Registry, uid: str, service: str) -> None:
    assert registry.find(uid, service) is None


def test_only_storage_lets_the_requestor_be_scp(registry: Registry) -> None:
    retrieves = (Model.STUDY_ROOT.get_uid, Model.STUDY_ROOT.move_uid, ROOT_GET, WITHOUT_BULK_DATA)
    uids = (CT, PRIVATE, VERIFICATION, Model.STUDY_ROOT.find_uid, *retrieves)
    offers = {uid: registry.offer(uid) for uid in uids}

    assert {uid: offer.both_roles for uid, offer in offers.items() if offer} == {
        CT: True,
        PRIVATE: True,
        VERIFICATION: False,
        Model.STUDY_ROOT.find_uid: False,
        **dict.fromkeys(retrieves, False),
    }


def test_nothing_is_offered_for_an_unknown_standard_class(registry: Registry) -> None:
    assert registry.offer(WORKLIST) is None


@pytest.mark.parametrize("model", list(Model))
def test_every_model_has_its_own_retrieve_services(model: Model) -> None:
    options = RetrieveOptions(transcode=True)
    with Archive.open(None) as archive:
        registry = Registry(archive, QueryOptions(), options)
    for uid, service in ((model.move_uid, "C-MOVE"), (model.get_uid, "C-GET")):
        found = registry.find(uid, service)
        assert isinstance(found, RetrieveService)
        assert (found.model, found.service, found.options, found.bulk_data) == (model, service, options, True)
        offer = registry.offer(uid)
        assert offer is not None
        assert offer.agree is not None


@pytest.mark.parametrize(
    ("uid", "service", "bulk_data"),
    [(ROOT_MOVE, "C-MOVE", True), (ROOT_GET, "C-GET", True), (WITHOUT_BULK_DATA, "C-GET", False)],
)
def test_retrieves_of_composite_instances_know_no_model(
    registry: Registry, uid: str, service: str, bulk_data: bool
) -> None:
    found = registry.find(uid, service)

    assert isinstance(found, RetrieveService)
    assert (found.model, found.service, found.bulk_data) == (None, service, bulk_data)
    offer = registry.offer(uid)
    assert offer is not None
    assert offer.agree is None


def test_storage_offers_know_what_is_stored_and_survive_an_index_that_cannot_be_read() -> None:
    with Archive.open(None) as archive:
        store_one(archive, "1.2.3")
        offer = Registry(archive, QueryOptions()).offer(CT)
        assert offer is not None
        assert offer.held is not None
        assert offer.held(CT) == ["1.2.840.10008.1.2.1"]

        def broken(_sop_class: str) -> list[str]:
            raise StorageError("The index cannot be read")

        archive.syntaxes_of = broken  # type: ignore[method-assign, assignment]
        assert offer.held(CT) == []
