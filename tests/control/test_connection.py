"""`MockPACS.connect`: what a test can ask of a peer, how it is recorded, what is said when the peer does not answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from mockpacs import MockPACS
from mockpacs.errors import ArchiveError, AssociationError, ConfigurationError, StartError
from mockpacs.traffic.exchange import Notice, Record
from mockpacs.traffic.recording.recording import Recording
from tests.conftest import wheel_files

CT = "1.2.840.10008.5.1.4.1.1.2"
STUDY_ROOT_MOVE = "Study Root Query/Retrieve Information Model - MOVE"


@pytest.fixture
def ct() -> Path:
    return next(path for path in wheel_files("CT_small.dcm"))


@pytest.fixture
def other() -> Iterator[MockPACS]:
    with MockPACS(aet="OTHER") as serving:
        yield serving


@pytest.fixture
def pacs(other: MockPACS) -> Iterator[MockPACS]:
    with MockPACS() as serving:
        serving.peers.add("OTHER", other.host, other.port)
        yield serving


def test_an_echo_is_answered(pacs: MockPACS, other: MockPACS) -> None:
    with pacs.connect("OTHER") as association:
        assert repr(association.echo()) == "<C-ECHO-RSP 0000 success>"
    (exchange,) = other.exchanges
    assert (exchange.service, exchange.association.calling, exchange.association.called) == (
        "C-ECHO",
        "MOCKPACS",
        "OTHER",
    )


def test_a_connection_says_with_whom_it_is(pacs: MockPACS, other: MockPACS) -> None:
    at = f"OTHER at 127.0.0.1:{other.port}"
    with pacs.connect("OTHER", "Verification") as association:
        assert repr(association) == f"<Connection to {at}, 1 context accepted>"
        assert association.echo().comment == ""
    assert repr(association) == f"<Connection to {at}, 1 context accepted, over>"


def test_another_title_can_call(pacs: MockPACS, other: MockPACS) -> None:
    with pacs.connect("OTHER", calling="CT01") as association:
        association.echo()
    assert other.verify("C-ECHO", calling="CT01", count=1)


def test_a_file_arrives_byte_for_byte(pacs: MockPACS, other: MockPACS, ct: Path) -> None:
    with pacs.connect("OTHER", ct) as association:
        assert association.store(ct).status == 0
    (stored,) = other.archive.instances()
    assert ct.read_bytes().endswith(stored.read())
    assert stored.size > 30_000


def test_a_dataset_and_a_stored_instance_can_be_stored(pacs: MockPACS, other: MockPACS, ct: Path) -> None:
    dataset = dcmread(ct)
    dataset.SOPInstanceUID = "1.2.3"
    (instance,) = pacs.archive.add(ct)
    with pacs.connect("OTHER", dataset, instance) as association:
        assert [association.store(what).status_name for what in (dataset, instance)] == ["success", "success"]
    assert [one.sop_instance for one in other.archive.instances()] == ["1.2.3", instance.sop_instance]


def test_elements_of_the_command_are_said_by_keyword(pacs: MockPACS, other: MockPACS, ct: Path) -> None:
    with pacs.connect("OTHER", ct) as association:
        association.store(ct, MoveOriginatorMessageID=7, Priority=1, AffectedSOPInstanceUID="1.2.3")
    command = other.exchanges[0].command
    assert command is not None
    assert (command.move_originator_message_id, command.priority) == (7, 1)
    assert command.affected_sop_instance == "1.2.3"


def test_a_query_has_all_responses(pacs: MockPACS, other: MockPACS, ct: Path) -> None:
    other.archive.add(ct)
    with pacs.connect("OTHER") as association:
        match, final = association.find({"QueryRetrieveLevel": "STUDY", "PatientID": "*"})
    assert match.dataset is not None
    assert match.dataset.PatientID == "1CT1"
    assert (match.status, final.status, final.dataset) == (0xFF00, 0, None)


def test_anything_can_be_asked(pacs: MockPACS, other: MockPACS) -> None:
    with pacs.connect("OTHER") as association:
        identifier = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "1.2"}
        (final,) = association.ask("C-MOVE", STUDY_ROOT_MOVE, identifier, MoveDestination="NOBODY")
    assert (final.status, final.comment) == (0xA801, final.command.error_comment)
    assert final.comment.startswith("Unknown move destination NOBODY")
    assert other.verify("C-MOVE", status="A801")


def test_what_was_asked_is_recorded_and_is_no_exchange_of_a_peer(pacs: MockPACS) -> None:
    with pacs.connect("OTHER") as association:
        association.echo()
    assert pacs.exchanges == []
    (exchange,) = pacs.verify("C-ECHO", leg="*")
    assert exchange.asked_by_us
    assert pacs.verify("C-ECHO", leg="us", where=lambda one: one.status == 0, count=1) == [exchange]
    pacs.verify("C-ECHO", where=lambda one: one.status == 0, count=0)
    assert pacs.recording is not None
    recorded = [one for one in Recording.open(pacs.recording).records() if getattr(one, "service", "") == "C-ECHO"]
    assert [one.id for one in recorded if not hasattr(one, "kind")] == ["1.1"]


def test_what_was_not_proposed_is_told(pacs: MockPACS, ct: Path) -> None:
    with pacs.connect("OTHER", "Verification") as association:
        association.echo()
        with pytest.raises(AssociationError, match="no presentation context was accepted for CT Image Storage"):
            association.store(ct)


def test_syntaxes_can_be_proposed(pacs: MockPACS) -> None:
    with pacs.connect("OTHER", (CT, ["JPEG Baseline (Process 1)"]), ("CT Image Storage", "implicit")) as association:
        assert [context.transfer_syntax for context in association.contexts] == [
            "1.2.840.10008.1.2.4.50",
            "1.2.840.10008.1.2",
        ]


@pytest.mark.parametrize("what", ["CT Imge Storage", "*", ("CT Image Storage", "no syntax")])
def test_nonsense_is_not_proposed(pacs: MockPACS, what: object) -> None:
    with pytest.raises(ConfigurationError):
        pacs.connect("OTHER", what)


def test_too_many_contexts_are_told(pacs: MockPACS) -> None:
    with pytest.raises(ConfigurationError, match="129 presentation contexts"):
        pacs.connect("OTHER", *(f"1.2.3.{number}" for number in range(129)))


def test_a_file_that_is_none_is_told(pacs: MockPACS, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("nothing")
    with pytest.raises(ArchiveError, match=r"notes\.txt: has no file meta information"):
        pacs.connect("OTHER", text)
    with pytest.raises(ArchiveError, match="cannot be read"):
        pacs.connect("OTHER", tmp_path / "absent.dcm")
    for folder in (tmp_path, str(tmp_path)):
        with pytest.raises(ArchiveError, match="is a folder: name the files in it"):
            pacs.connect("OTHER", folder)
    with pytest.raises(ConfigurationError, match="5 is no file, no Dataset and no stored instance"):
        pacs.connect("OTHER", 5)


@pytest.mark.parametrize("path", ["absent.dcm", "./absent", "images/absent", "/absent file", "~/absent", "C:\\absent"])
def test_a_name_that_looks_like_a_path_is_a_file_that_is_not_there(pacs: MockPACS, path: str) -> None:
    with pytest.raises(ArchiveError) as told:
        pacs.connect("OTHER", path)
    assert str(told.value) == f"{path}: there is no such file"


def test_a_name_with_a_slash_is_a_name(pacs: MockPACS) -> None:
    with pytest.raises(ConfigurationError, match=f'did you mean "{STUDY_ROOT_MOVE}"'):
        pacs.connect("OTHER", STUDY_ROOT_MOVE.replace("Retrieve", "Retrive"))


def test_who_does_not_listen_is_told(pacs: MockPACS) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        pacs.peers.add("DEAD", "127.0.0.1", sock.getsockname()[1])
        with pytest.raises(AssociationError, match=r"no association with DEAD at 127\.0\.0\.1:\d+: .*refused"):
            pacs.connect("DEAD")


def test_who_does_not_answer_is_waited_for_as_long_as_was_said(pacs: MockPACS) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pacs.peers.add("SILENT", "127.0.0.1", silent.getsockname()[1])
        with pytest.raises(AssociationError, match=r"no answer to the association request within 0\.05 s \(timeout\)"):
            pacs.connect("SILENT", timeout=0.05)
    with pytest.raises(ConfigurationError, match='timeout: "soon" is no number of seconds'):
        pacs.connect("OTHER", timeout="soon")  # type: ignore[arg-type]
    with pacs.connect("OTHER", timeout=60) as association:
        assert association.echo().status == 0


def test_who_rejects_is_told(pacs: MockPACS, other: MockPACS) -> None:
    other.when("associate").reject("permanent", source="user", reason="calling-ae-not-recognized")
    with pytest.raises(AssociationError, match="calling AE title not recognized"):
        pacs.connect("OTHER")


def test_an_answer_that_does_not_come_is_told(pacs: MockPACS, other: MockPACS) -> None:
    other.when("C-ECHO").abort()
    association = pacs.connect("OTHER")
    with pytest.raises(AssociationError, match=r"C-ECHO was not answered: .*abort"):
        association.echo()
    association.release()


def test_an_exception_aborts(pacs: MockPACS) -> None:
    seen: list[Record] = []
    with MockPACS(aet="THIRD", observe=seen.append) as third:
        pacs.peers.add("THIRD", third.host, third.port)
        with pytest.raises(ZeroDivisionError), pacs.connect("THIRD"):
            raise ZeroDivisionError
        with pacs.connect("THIRD") as again:  # what was sent before has been looked at when this is answered
            again.echo()
    assert [one.text for one in seen if isinstance(one, Notice) and one.kind == "aborted"] == [
        "aborted by the peer: service user (source 0, reason 0)"
    ]


def test_several_threads_ask_one_after_the_other(pacs: MockPACS, ct: Path) -> None:
    answers: list[int | None] = []

    def ask() -> None:
        answers.extend(association.store(ct).status for _ in range(20))

    with pacs.connect("OTHER", ct) as association:
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == [0] * 60


@pytest.mark.parametrize("identifier", [{"QueryRetrieveLevl": "STUDY"}, "study.dcm", []])
def test_what_is_no_data_set_is_told(pacs: MockPACS, identifier: object) -> None:
    with pacs.connect("OTHER") as association, pytest.raises(ConfigurationError):
        association.find(identifier)  # type: ignore[arg-type]


def test_what_does_not_fit_the_protocol_is_told(pacs: MockPACS) -> None:
    with pytest.raises(ConfigurationError):
        pacs.connect("OTHER", calling="x" * 40)
    with pacs.connect("OTHER") as association, pytest.raises(ConfigurationError):
        association.ask("C-ECHO", "Verification", Priority=1 << 20)


def test_after_the_stop_nothing_is_asked(other: MockPACS) -> None:
    with MockPACS() as pacs:
        pacs.peers.add("OTHER", other.host, other.port)
        association = pacs.connect("OTHER")
    with pytest.raises(AssociationError, match="C-ECHO was not answered"):
        association.echo()
    with pytest.raises(StartError):
        pacs.connect("OTHER")
