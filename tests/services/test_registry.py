"""Who answers what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mockpacs.archive import Archive, Model, QueryOptions
from mockpacs.services.query import QueryService
from mockpacs.services.registry import Registry
from mockpacs.services.verification import VerificationService

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
PRIVATE = "1.2.826.0.1.3680043.9.1"
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"


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
        (MOVE, "C-MOVE"),
        (VERIFICATION, "N-EVENT-REPORT"),
        ("", "C-STORE"),
        ("", "C-ECHO"),
    ],
)
def test_nobody_answers_what_does_not_belong_together(registry: Registry, uid: str, service: str) -> None:
    assert registry.find(uid, service) is None


def test_only_storage_lets_the_requestor_be_scp(registry: Registry) -> None:
    offers = {uid: registry.offer(uid) for uid in (CT, PRIVATE, VERIFICATION, Model.STUDY_ROOT.find_uid)}

    assert {uid: offer.both_roles for uid, offer in offers.items() if offer} == {
        CT: True,
        PRIVATE: True,
        VERIFICATION: False,
        Model.STUDY_ROOT.find_uid: False,
    }


def test_nothing_is_offered_for_an_unknown_standard_class(registry: Registry) -> None:
    assert registry.offer(MOVE) is None
