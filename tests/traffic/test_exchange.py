"""Records: what they say about a status."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from mockpacs.traffic.exchange import Association, Exchange, Notice

PEER = Association(1, "127.0.0.1:50000")


def exchange(status: int | None, service: str = "C-STORE") -> Exchange:
    return Exchange(PEER, 1, service, status, "", "", started=0.0, seconds=0.0)


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (0x0000, "success"),
        (0xB000, "warning"),
        (0xFF00, "pending"),
        (0xFF01, "pending"),
        (0xFE00, "cancel"),
        (0xA700, "failure"),
        (0x0110, "failure"),
        (0xC123, "failure"),
        (None, "failure"),
    ],
)
def test_every_status_belongs_to_a_category(status: int | None, category: str) -> None:
    assert exchange(status).category == category
    assert type(exchange(status).category) is str


def test_a_status_is_named_as_its_service_names_it() -> None:
    assert exchange(0xA700).status_name == "out-of-resources"
    assert exchange(0xA900, "C-FIND").status_name != exchange(0xA900, "C-STORE").status_name
    assert exchange(0x1234).status_name == "1234"
    assert exchange(None).status_name == "no answer"


def test_records_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        exchange(0).status = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Notice(0.0, "closed", "").text = "x"  # type: ignore[misc]
