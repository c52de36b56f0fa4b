"""Which abstract syntaxes are storage, compared with the tables of pynetdicom."""

from __future__ import annotations

import pynetdicom.sop_class
import pytest

from mockpacs.services.sop_classes import is_storage, is_uid

# Stored with C-STORE as well, as the service class of Annex GG says; pynetdicom lists them apart.
_STORED = ("_STORAGE_CLASSES", "_NON_PATIENT_OBJECT_CLASSES")


def _tables() -> dict[str, dict[str, str]]:
    return {
        name: table
        for name, table in vars(pynetdicom.sop_class).items()
        if name.startswith("_") and name.endswith("_CLASSES") and name != "_SERVICE_CLASSES"
    }


def _uids(*, stored: bool) -> list[str]:
    return sorted(uid for name, table in _tables().items() if (name in _STORED) is stored for uid in table.values())


@pytest.mark.parametrize("uid", _uids(stored=True))
def test_every_storage_class_of_pynetdicom_is_storage(uid: str) -> None:
    assert is_storage(uid)


@pytest.mark.parametrize("uid", _uids(stored=False))
def test_no_other_service_class_is_storage(uid: str) -> None:
    assert not is_storage(uid)


def test_the_tables_were_found() -> None:
    assert len(_uids(stored=True)) > 150
    assert len(_uids(stored=False)) > 60


@pytest.mark.parametrize("uid", ["1.2.826.0.1.3680043.9.1", "1.2.840.113619.4.26", "2.25.1", "1.3.12.2.1107.5.9.1"])
def test_everything_private_is_storage(uid: str) -> None:
    assert is_storage(uid)


def test_a_storage_class_of_a_coming_edition_is_storage() -> None:
    assert is_storage("1.2.840.10008.5.1.4.1.1.999.1")


@pytest.mark.parametrize(
    "text", ["", "CT Image Storage", "../../etc/passwd", "1" * 65, "1.2\0", "1.2.840.10008.", "1,2"]
)
def test_what_is_no_uid_is_no_storage_class(text: str) -> None:
    assert not is_storage(text)


@pytest.mark.parametrize(("text", "is_one"), [("1.2.3", True), ("0" * 64, True), ("", False), ("1.2\n", False)])
def test_a_uid_is_digits_and_dots_of_at_most_64_characters(text: str, is_one: bool) -> None:
    assert is_uid(text) is is_one
