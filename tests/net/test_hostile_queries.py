"""Keys that hurt others: the right answer, in bounded time, without a regular expression or SQL seeing them."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator

import pytest

from mockpacs.wire import ProposedContext
from tests.net.conftest import Served
from tests.net.test_hostile_datasets import DEFLATED, deflate, nested
from tests.net.wire_client import CT, STUDY_ROOT_FIND, WireClient, element

PATIENTS = {
    "100%": "A%B",
    "under_score": "A_B",
    "quotes": "O'Neil\"s",
    "a" * 64: "AAAA",
    "back`tick": "x;--",
    "[a-z]+": "(A|B)",
    "plain": "DOE^JANE",
}
GENEROUS_SECONDS = 20.0
"""Not a measure of speed: what blows up takes minutes or for ever."""


def image(n: int, patient_id: str, name: str) -> bytes:
    return b"".join(
        (
            element(0x00080016, "UI", CT.encode()),
            element(0x00080018, "UI", f"1.6.{n}".encode()),
            element(0x00080020, "DA", b"20260112"),
            element(0x00100010, "PN", name.encode()),
            element(0x00100020, "LO", patient_id.encode()),
            element(0x0020000D, "UI", f"1.7.{n}".encode()),
            element(0x0020000E, "UI", f"1.8.{n}".encode()),
        )
    )


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that knows seven patients with difficult names."""
    served = Served(recordings=tmp_path_factory.mktemp("recordings"))
    client = served.associate()
    for n, (patient_id, name) in enumerate(PATIENTS.items()):
        assert client.store(image(n, patient_id, name), f"1.6.{n}") == 0
    yield served
    served.still_serves()
    served.end()


@pytest.fixture
def client(crowd: Served) -> Iterator[WireClient]:
    """A client of that server, which is content with it in the end."""
    client = crowd.associate()
    yield client
    assert client.echo() == 0
    client.release()
    client.socket.close()
    assert crowd.notices("trouble") == []


def study(*keys: bytes) -> bytes:
    return element(0x00080052, "CS", b"STUDY") + b"".join(keys)


def found(client: WireClient, *keys: bytes) -> set[str]:
    """The patient identifiers of the matches."""
    started = time.monotonic()
    answers = client.find(study(*keys))
    assert time.monotonic() - started < GENEROUS_SECONDS
    assert answers[-1] == (0, None), answers[-1]
    return {patient_id for _, data in answers[:-1] for patient_id in PATIENTS if patient_id.encode() in (data or b"")}


def patient_id(value: bytes) -> bytes:
    return element(0x00100020, "LO", value)


def patient_name(value: bytes) -> bytes:
    return element(0x00100010, "PN", value) + patient_id(b"")


A64 = "a" * 64
EVERYBODY = set(PATIENTS)

BY_ID: dict[bytes, set[str]] = {
    b"100%": {"100%"},
    b"%": set(),
    b"10%": set(),
    b"under_score": {"under_score"},
    b"under?score": {"under_score"},
    b"_____": set(),
    b"plai_": set(),
    b"*%*": {"100%"},
    b"*_*": {"under_score"},
    b"quote'": set(),
    b"' OR 1=1 --": set(),
    b'" OR ""="': set(),
    b"'); DROP TABLE patient; --": set(),
    b"back`*": {"back`tick"},
    b"[a-z]+": {"[a-z]+"},
    b"[*": {"[a-z]+"},
    b"pl(ai)n": set(),
    b"plain": {"plain"},
    b"PLAIN": set(),
    b"*" * 100: EVERYBODY,
    b"?" * 64: {A64},
    b"?" * 65: set(),
    b"*" * 5000 + b"n": {"plain"},
    b"*a*a*a*a*b": set(),
    b"*a" * 30 + b"*b": set(),
    b"*a" * 64: {A64},
    b"*a" * 65: set(),
    b"a*" * 30_000: set(),
    b"?*" * 64: {A64},
    b"*?a" * 20_000 + b"b": set(),
    b"x" * 65_000: set(),
    b"\xff\xfe\x00\x01": set(),
    b"\x00": EVERYBODY,
    b"\x1b$B": set(),
}


@pytest.mark.parametrize("value", BY_ID, ids=lambda value: repr(value[:20]))
def test_a_patient_id_matches_by_the_standard_and_in_bounded_time(client: WireClient, value: bytes) -> None:
    assert found(client, patient_id(value)) == BY_ID[value]


BY_NAME: dict[bytes, set[str]] = {
    b"A%B": {"100%"},
    b"A_B": {"under_score"},
    b"A*B": {"100%", "under_score"},
    b"%": set(),
    b"O'Neil\"s": {"quotes"},
    b"*'*": {"quotes"},
    b"x;--": {"back`tick"},
    b"(A|B)": {"[a-z]+"},
    b"doe*": {"plain"},
    b"^" * 60_000: set(),
    b"=" * 60_000: set(),
    b"*^*=*^*": set(),
    b"*a*a*a*a*b": set(),
    b"*A" * 4 + b"*": {A64},
    b"*" * 100: EVERYBODY,
    b"\xc3\xa9" * 30_000: set(),
}


@pytest.mark.parametrize("value", BY_NAME, ids=lambda value: repr(value[:20]))
def test_a_patient_name_matches_in_bounded_time(client: WireClient, value: bytes) -> None:
    answer = found(client, patient_name(value))
    if value not in (b"^" * 60_000, b"=" * 60_000, b"*^*=*^*"):  # whether nothing but delimiters is a name
        assert answer == BY_NAME[value]


@pytest.mark.parametrize("count", [1, 5000, 40_000])
def test_a_list_of_any_number_of_uids_finds_the_one(client: WireClient, count: int) -> None:
    uids = [f"1.9.{n}" for n in range(count - 1)]
    uids.insert(count // 2, "1.7.6")
    value = "\\".join(uids).encode()
    # 40 000 UIDs do not fit into an explicit UI (64 kB): UN has a 32 bit length
    head = struct.pack("<HH2sHL", 0x0020, 0x000D, b"UN", 0, len(value) + len(value) % 2)
    key = element(0x0020000D, "UI", value) if len(value) < 65_000 else head + value + b"\0" * (len(value) % 2)
    assert found(client, patient_id(b""), key) == {"plain"}


@pytest.mark.parametrize(
    ("tag", "vr", "values"),
    [
        (0x00100020, "LO", "*a*\\" * 5000),
        (0x00100010, "PN", "A*\\" * 20_000),
        (0x00080020, "DA", "20200101-20210101\\" * 3000),
        (0x00080061, "CS", "C*\\" * 10_000),
    ],
)
def test_too_many_values_that_must_be_tried_one_by_one_are_refused(
    client: WireClient, tag: int, vr: str, values: str
) -> None:
    (answer,) = client.find(study(element(tag, vr, values.encode()[:65_000])))
    assert answer[0] in (0xA900, 0xA700)


DATES = (b"20260112", b"-", b"--", b"20260112-20260111", b"0-9", b"99999999", b"-99999999", b"2026", b"x" * 60_000)


@pytest.mark.parametrize("vr", ["DA", "TM", "DT", "IS", "DS", "US", "AT", "FD", "UI", "AS", "OB", "UN", "ZZ"])
def test_a_key_of_the_wrong_kind_is_no_trouble(client: WireClient, vr: str) -> None:
    for tag in (0x00080020, 0x00080030, 0x0008002A, 0x00200013, 0x00201208, 0x00280010, 0x00091001):
        for value in (*DATES, b"1E99999", b"\xff" * 7, b"-" * 1000, b"+0000", b"20260112+9999"):
            raw = value + b" " * (len(value) % 2)
            long = vr in ("OB", "UN", "ZZ")
            head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
            size = struct.pack("<HL", 0, len(raw)) if long else struct.pack("<H", len(raw))
            answers = client.find(study(head + size + raw))
            assert answers[-1][0] in (0x0000, 0xA900, 0xC000), (tag, value)


@pytest.mark.parametrize("depth", [64, 300, 3000, 10_000])
@pytest.mark.parametrize("closed", [True, False])
def test_sequences_in_sequences_are_refused_by_a_sentence(client: WireClient, depth: int, closed: bool) -> None:
    client.send(client.find_request(study(nested(depth, closed=closed))))
    response, _ = client.response()
    assert response.status == (0xA900 if closed and depth <= 64 else 0xC000)
    assert response.error_comment


def test_a_sequence_of_very_many_items_is_refused(client: WireClient) -> None:
    items = struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 20_000
    (answer,) = client.find(study(element(0x00081032, "SQ", items)))
    assert answer[0] == 0xA900


def test_an_identifier_that_unpacks_to_gigabytes_is_refused(server: Served) -> None:
    client = server.connect()
    client.associate(ProposedContext(5, STUDY_ROOT_FIND, (DEFLATED,)))
    (answer,) = client.find(deflate(study(patient_id(b"x")) + bytes(50_000_000)))
    assert answer[0] == 0xC000


BROKEN: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 0xA900),
    "noise": (bytes(range(256)) * 10, 0xC000),
    "no level": (patient_id(b""), 0xA900),
    "an unknown level": (element(0x00080052, "CS", b"GALAXY"), 0xA900),
    "two levels": (element(0x00080052, "CS", b"STUDY\\SERIES"), 0xA900),
    "an empty level": (element(0x00080052, "CS", b""), 0xA900),
    "a level below without its parents": (element(0x00080052, "CS", b"IMAGE"), 0xA900),
    "cut": (study(patient_id(b"12345678"))[:-3], 0xC000),
    "a length that lies": (study(struct.pack("<HH2sH", 0x10, 0x20, b"LO", 0xFFFE)), 0xC000),
}


@pytest.mark.parametrize(("identifier", "status"), BROKEN.values(), ids=BROKEN)
def test_a_broken_identifier_is_refused_with_a_comment(client: WireClient, identifier: bytes, status: int) -> None:
    client.send(client.find_request(identifier))
    response, data = client.response()
    assert response.status == status
    assert data is None
    assert response.error_comment
    assert len(response.error_comment) <= 64


def test_more_matches_than_allowed_end_with_out_of_resources(serve: Callable[..., Served]) -> None:
    server = serve(max_query_results=3)
    client = server.associate()
    for n in range(5):
        assert client.store(image(n, f"P{n}", "X"), f"1.6.{n}") == 0
    assert [status for status, _ in client.find(study(patient_id(b"")))] == [0xFF00, 0xFF00, 0xFF00, 0xA700]
    server.still_serves()
