from __future__ import annotations

import pytest

from mockpacs.wire.status import Category, category_of, code_of, find, name_of, statuses

SERVICES = ["", "C-STORE", "C-FIND", "C-MOVE", "C-GET", "C-ECHO", "N-ACTION", "N-CREATE"]


@pytest.mark.parametrize("service", SERVICES)
def test_names_and_codes_are_one_to_one_within_a_service(service: str) -> None:
    rows = list(statuses(service))
    assert len({row.name for row in rows}) == len(rows)
    assert len({row.first for row in rows}) == len(rows)
    for row in rows:
        assert code_of(row.name, service) == row.first
        assert name_of(row.first, service) == name_of(row.last, service) == row.name
        assert row.meaning
        assert row.clause.startswith("PS3.")


@pytest.mark.parametrize(
    ("name", "service", "code"),
    [
        ("success", "C-STORE", 0x0000),
        ("out-of-resources", "C-STORE", 0xA700),
        ("out-of-resources", "C-FIND", 0xA700),
        ("cannot-understand", "C-STORE", 0xC000),
        ("unable-to-process", "C-FIND", 0xC000),
        ("data-set-mismatch", "C-STORE", 0xA900),
        ("data-set-mismatch-warning", "C-STORE", 0xB007),
        ("elements-discarded", "C-STORE", 0xB006),
        ("identifier-mismatch", "C-MOVE", 0xA900),
        ("move-destination-unknown", "C-MOVE", 0xA801),
        ("unable-to-perform-sub-operations", "C-GET", 0xA702),
        ("sub-operations-failed", "C-MOVE", 0xB000),
        ("pending-with-warning", "C-FIND", 0xFF01),
        ("cancel", "C-FIND", 0xFE00),
        ("duplicate-sop-instance", "C-STORE", 0x0111),
        ("processing-failure", "N-SET", 0x0110),
    ],
)
def test_a_name_means_the_code_of_its_service(name: str, service: str, code: int) -> None:
    assert code_of(name, service) == code
    assert name_of(code, service) == name


def test_a_code_means_what_its_service_says() -> None:
    assert (name_of(0xB000, "C-STORE"), name_of(0xB000, "C-GET")) == (
        "coercion-of-data-elements",
        "sub-operations-failed",
    )
    assert (name_of(0xA712, "C-STORE"), name_of(0xA712, "C-FIND")) == ("out-of-resources", "A712")
    assert (name_of(0xC123, "C-STORE"), name_of(0xC123, "C-ECHO")) == ("cannot-understand", "C123")


def test_what_does_not_exist_is_none_or_its_digits() -> None:
    assert code_of("move-destination-unknown", "C-GET") is None
    assert code_of("nonsense") is None
    assert find(0x1234) is None
    assert name_of(0x0042) == "0042"


def test_a_service_specific_row_hides_the_general_one() -> None:
    rows = [row for row in statuses("C-FIND") if row.first == 0xFF00]
    assert [row.clause for row in rows] == ["PS3.4 Table C.4-1"]


def test_the_categories_are_those_pynetdicom_has_for_every_code_it_knows() -> None:
    from pynetdicom.status import code_to_category

    known = {code: code_to_category(code) for code in range(0x10000)}
    differing = {
        code for code, category in known.items() if category != "Unknown" and category.lower() != str(category_of(code))
    }
    assert differing == set()


def test_a_code_nobody_knows_is_a_failure() -> None:
    assert category_of(0x1234) is Category.FAILURE
    assert category_of(0xB123) is Category.WARNING
