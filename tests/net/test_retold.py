"""The judge itself: it finds what was changed, in the records of a server and in its recording."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mockpacs.traffic.exchange import Answer, Exchange, Notice, Record
from mockpacs.traffic.recording.recording import Recording
from mockpacs.wire import CommandField
from tests.net.conftest import Served
from tests.net.destination import Destination
from tests.net.retold import differences
from tests.net.retrieving import fill, final, moving, study, take
from tests.net.wire_client import ct_image, element

Serve = Callable[..., Served]


@pytest.fixture
def told(serve: Serve) -> tuple[list[Record], Path]:
    """What a server reported of a little of everything, and its recording."""
    served = serve()
    client = served.associate()
    assert client.echo() == 0
    assert client.store(ct_image()) == 0
    assert client.find(element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b""))[-1][0] == 0
    client.release()
    client.socket.close()
    served.pacs.stop()
    assert served.recording is not None
    return served.records, served.recording


EXCHANGE: dict[str, Callable[[Exchange], Exchange]] = {
    "number": lambda one: replace(one, number=9),
    "association": lambda one: replace(one, association=replace(one.association, calling="SOMEBODY")),
    "address": lambda one: replace(one, association=replace(one.association, address="1.2.3.4:5")),
    "status": lambda one: replace(one, status=1),
    "subject": lambda one: replace(one, subject="?"),
    "comment": lambda one: replace(one, comment="?"),
    "size": lambda one: replace(one, size=one.size + 1),
    "answers": lambda one: replace(one, answers=(*one.answers, Answer(0, 1, 0.0, 0.0))),
    "started": lambda one: replace(one, started=one.started + 100),
    "seconds": lambda one: replace(one, seconds=-100),
    "context": lambda one: replace(one, context=None),
    "rule": lambda one: replace(one, rule="?"),
    "place": lambda one: replace(one, place=None),
    "another place": lambda one: replace(one, place=one.place and replace(one.place, end=one.place.offset)),
}


@pytest.mark.parametrize("change", EXCHANGE.values(), ids=EXCHANGE)
def test_a_changed_exchange_is_found(told: tuple[list[Record], Path], change: Callable[[Exchange], Exchange]) -> None:
    records, path = told
    for at, record in enumerate(records):
        if isinstance(record, Exchange):
            assert differences([*records[:at], change(record), *records[at + 1 :]], path) != []


def test_what_only_one_of_them_has_is_found(told: tuple[list[Record], Path], tmp_path: Path) -> None:
    records, path = told
    assert differences(records, path) == []
    for at, record in enumerate(records):
        fewer = [*records[:at], *records[at + 1 :]]
        assert differences(fewer, path) != [], record
        if isinstance(record, Notice):
            assert differences([*fewer, replace(record, text="?")], path) != []
    exchanges = [record for record in records if isinstance(record, Exchange)]
    backwards = [record for record in records if isinstance(record, Notice)] + exchanges[::-1]
    assert differences(backwards, path) == ["the exchanges of an association are in another order"]


# with associations that the server opened


@pytest.fixture
def retrieved(serve: Serve, destination: Callable[..., Destination]) -> tuple[list[Record], Path]:
    """What a server reported of a C-MOVE and a C-GET, and its recording."""
    there = destination()
    served = serve(peer=[there.option])
    fill(served, 1)
    client = moving(served, there)
    leg = there.associated()
    leg.take(0xA700)
    leg.released()
    assert final(client)[0].status == 0xA702
    client.send(client.get_request(study()))
    take(client, 0xB000)
    assert final(client)[0].status == 0xB000
    client.release()
    client.socket.close()
    leg.socket.close()
    served.pacs.stop()
    assert served.recording is not None
    return served.records, served.recording


LEG: dict[str, Callable[[Exchange], Exchange]] = {
    **EXCHANGE,
    "who asked": lambda one: replace(one, asked_by_us=not one.asked_by_us),
    "cause": lambda one: replace(one, cause="9.9"),
    "counts": lambda one: replace(one, counts=(9, 9, 9)),
    "who opened": lambda one: replace(
        one, association=replace(one.association, by_us=not one.association.by_us, server="?")
    ),
    "what it was opened for": lambda one: replace(one, association=replace(one.association, cause="9.9")),
}


@pytest.mark.parametrize("change", LEG.values(), ids=LEG)
def test_a_changed_leg_is_found(retrieved: tuple[list[Record], Path], change: Callable[[Exchange], Exchange]) -> None:
    records, path = retrieved
    assert differences(records, path) == []
    assert sum(isinstance(one, Exchange) and one.asked_by_us for one in records) == 2
    for at, record in enumerate(records):
        if isinstance(record, Exchange):
            assert differences([*records[:at], change(record), *records[at + 1 :]], path) != [], record


def test_a_notice_of_a_leg_that_only_one_of_them_has_is_found(retrieved: tuple[list[Record], Path]) -> None:
    records, path = retrieved
    theirs = [one for one in records if isinstance(one, Notice) and one.association and one.association.by_us]
    assert [one.kind for one in theirs] == ["opened", "released"]
    for one in theirs:
        assert differences([other for other in records if other is not one], path) != []
        assert differences([replace(one, text="?") if other is one else other for other in records], path) != []


# a real recording, cut anywhere


def test_a_real_recording_cut_anywhere_has_what_was_complete(told: tuple[list[Record], Path], tmp_path: Path) -> None:
    _, path = told
    whole = list(Recording.open(path).records())
    complete = [(one.place.end, one) for one in whole if isinstance(one, Exchange) and one.place]
    assert [one.command and one.command.field for _, one in complete] == [
        CommandField.C_ECHO_RQ,
        CommandField.C_STORE_RQ,
        CommandField.C_FIND_RQ,
    ]
    data = path.read_bytes()
    assert len(data) < 6000
    cut = Path(shutil.copy(path, tmp_path / path.name))
    moved = {one.id: replace(one, place=one.place and replace(one.place, path=cut)) for _, one in complete}
    for size in range(4, len(data)):
        cut.write_bytes(data[:size])
        found = [one for one in Recording.open(cut).records() if isinstance(one, Exchange) and one.status is not None]
        assert found == [moved[one.id] for end, one in complete if end <= size], size
