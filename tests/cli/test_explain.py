"""``mockpacs explain``: which rule would fire, and why the others would not."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from mockpacs.cli import main
from mockpacs.wire.part10 import FileMeta, encode_head
from tests.scenario.asking import CT, data

SCENARIO = """
mockpacs: 1
state: { archive: open }
rules:
  - name: images
    when:
      service: C-STORE
      calling: "CT*"
      called: PACS
      peer: 10.*
      sop_class: CT Image Storage
      transfer_syntax: explicit
      dataset: { PatientID: P1 }
    then: { status: out-of-resources }
  - name: once
    when: { service: C-STORE, calling: ONCE, state: { archive: full } }
    per: SOPInstanceUID
    then: { status: out-of-resources }
  - name: steps
    when: { service: C-FIND, query: { ScheduledProcedureStepSequence: { Modality: MR }, StudyDate: empty } }
    then: { delay: 1s }
  - name: tag
    when: { service: C-FIND, model: Study Root Query/Retrieve Information Model - FIND, query: { "(0010,0020)": P1 } }
    then: { delay: 1s }
  - { name: bytes, when: { service: C-STORE, at: { received: 256kB } }, then: reset }
  - { name: pdus, when: { service: C-STORE, at: { pdu: 3 } }, then: reset }
  - { name: failed, when: { service: C-STORE, at: response, status: out-of-resources }, then: abort }
  - { name: doorman, when: { event: associate, calling: MR01, sop_class: CT Image Storage }, then: { reject: {} } }
  - { name: makes room, when: { service: C-ECHO }, set: { archive: full } }
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Explain by the scenario in ``s.yaml``: exit status, output, complaints."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENARIO)

    def explained(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["explain", *arguments])
        shown = capsys.readouterr()
        return int(left.value.code or 0), shown.out, shown.err

    return explained


def image(name: str = "image.dcm", *, with_head: bool = True) -> str:
    values = {"SOPClassUID": CT, "SOPInstanceUID": "1.2.3.4", "PatientID": "P1"}
    head = encode_head(FileMeta(CT, "1.2.3.4", "1.2.840.10008.1.2.1")) if with_head else b""
    Path(name).write_bytes(head + data({**values}))
    return name


def test_the_rule_that_fires_is_told_and_the_exit_status_is_0(run: Run) -> None:
    status, shown, _ = run("s.yaml", "--event", "associate", "--calling", "MR01", "--sop-class", "CTImageStorage")
    assert status == 0
    assert shown == textwrap.dedent(
        """\
        associate from MR01 fires "doorman" (s.yaml:28).
        fires: "doorman" (s.yaml:28), 3 of 3 conditions
          event      associate                   ok
          calling    MR01                        ok
          sop_class  CT Image Storage            ok
        about something else: "images", "once", "steps", "tag", "bytes", "pdus", "failed", "makes room"
        """
    )


def test_when_none_fires_the_nearest_is_told_and_the_exit_status_is_1(run: Run) -> None:
    status, shown, _ = run("s.yaml", "--event", "associate", "--calling", "mr01", "--sop-class", CT)
    assert status == 1
    assert shown.splitlines()[:4] == [
        "associate from mr01 fired no rule.",
        'closest: "doorman" (s.yaml:28), 2 of 3 conditions',
        "  event      associate                   ok",
        '  calling    expected MR01               got "mr01" (only the case differs)',
    ]


WHOLE = ("--calling", "CT1", "--called", "PACS", "--peer", "10.0.0.1")


@pytest.mark.parametrize("with_head", [True, False])
def test_a_dicom_file_is_what_a_c_store_sends(run: Run, with_head: bool) -> None:
    status, shown, _ = run("s.yaml", image(with_head=with_head), *WHOLE)
    assert (status, shown.splitlines()[0]) == (0, 'C-STORE from CT1 fires "images" (s.yaml:5).')


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--calling", "X"),
        ("--called", "X"),
        ("--peer", "11.0.0.1"),
        ("--sop-class", "MR Image Storage"),
        ("--transfer-syntax", "implicit"),
        ("--key", "PatientID=P2"),
    ],
)
def test_options_are_stronger_than_the_file_and_each_counts(run: Run, option: str, value: str) -> None:
    assert run("s.yaml", image(), *WHOLE, option, value)[0] == 1


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (
            ["--service", "c-find", "--key", "ScheduledProcedureStepSequence.Modality=MR", "--key", "StudyDate="],
            "steps",
        ),
        (["--service", "C-FIND", "--key", "ScheduledProcedureStepSequence.Modality=MR"], None),
        (["--service", "C-FIND", "--key", "(0010,0020)=P1", "--sop-class", "study-root"], "tag"),
        (["--service", "C-FIND", "--key", "00100020=P2", "--sop-class", "study-root"], None),
        (["--service", "C-STORE", "--at", "received=256kB"], "bytes"),
        (["--service", "C-STORE", "--at", "received:256000"], "bytes"),
        (["--service", "C-STORE", "--at", "received=1kB"], None),
        (["--service", "C-STORE", "--at", "pdu=3"], "pdus"),
        (["--service", "C-STORE", "--at", "response", "--status", "A700"], "failed"),
        (["--service", "C-STORE", "--at", "response", "--status", "out-of-resources"], "failed"),
        (["--service", "C-STORE", "--at", "response", "--status", "success"], None),
        (["--service", "C-STORE", "--calling", "ONCE"], None),
        (["--service", "C-STORE", "--calling", "ONCE", "--state", "archive=full"], "once"),
    ],
)
def test_everything_that_a_rule_looks_at_can_be_said(run: Run, arguments: list[str], rule: str | None) -> None:
    status, shown, complaint = run("s.yaml", *arguments)
    assert complaint == ""
    first = shown.splitlines()[0]
    assert (f'fires "{rule}"' in first) if rule else first.endswith("fired no rule.")
    assert status == (0 if rule else 1)


RETRIEVES = """
mockpacs: 1
rules:
  - { name: second, when: { service: C-MOVE, at: { sub-operation: 2 } }, then: reset }
  - { name: mr, when: { service: C-MOVE, at: sub-operation, sop_class: MR Image Storage }, then: { delay: 1s } }
  - { name: last, when: { service: C-MOVE, at: { sub-operation: last } }, then: reset }
"""


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["2"], "second"),
        (["3/3"], "last"),
        (["3/4"], None),
        (["4", "--sop-class", "MR Image Storage"], "mr"),
        (["last"], "last"),
        (["last/1"], "last"),
        (["last / 12"], "last"),
        (["last/2"], "second"),
    ],
)
def test_a_sub_operation_is_one_of_so_many(run: Run, arguments: list[str], rule: str | None) -> None:
    Path("retrieves.yaml").write_text(RETRIEVES)
    place, *more = arguments
    status, shown, _ = run("retrieves.yaml", "--service", "C-MOVE", "--at", f"sub-operation={place}", *more)
    first = shown.splitlines()[0]
    assert (f'fires "{rule}"' in first) if rule else first.endswith("fired no rule.")
    assert status == (0 if rule else 1)


COUNTING = """
mockpacs: 1
state: { archive: open }
rules:
  - { name: every third, when: { service: C-MOVE, at: sub-operation, calling: A }, nth: every 3, then: reset }
  - { name: two, when: { service: C-MOVE, at: sub-operation, calling: B }, times: 2, then: reset }
  - { name: once, when: { service: C-MOVE, at: sub-operation, calling: C }, per: SOPInstanceUID, times: 1, then: reset }
  - { name: first, when: { service: C-MOVE, at: { sub-operation: 1 }, calling: D }, set: { archive: full } }
  - { name: full, when: { service: C-MOVE, at: sub-operation, calling: D, state: { archive: full } }, then: reset }
  - { name: front, when: { service: C-MOVE, at: { sub-operation: 1 }, calling: E }, then: reset }
  - { name: third, when: { service: C-MOVE, at: sub-operation, calling: E }, nth: 3, then: reset }
  - { name: WS, when: { service: C-MOVE, at: sub-operation, calling: F, destination: "WS*" }, nth: 2, then: reset }
"""


@pytest.mark.parametrize(
    ("calling", "place", "rule"),
    [
        ("A", "1", None),
        ("A", "2/12", None),
        ("A", "3/12", "every third"),
        ("A", "4/12", None),
        ("A", "65535", "every third"),
        ("A", "last/6", "every third"),
        ("A", "last/7", None),
        ("B", "2", "two"),
        ("B", "3", None),
        ("C", "3", "once"),
        ("D", "2", "full"),
        ("E", "3", "third"),
        ("F", "2", "WS"),
    ],
)
def test_what_counts_sub_operations_has_counted_those_before(
    run: Run, calling: str, place: str, rule: str | None
) -> None:
    Path("counting.yaml").write_text(COUNTING)
    arguments = ("--service", "C-MOVE", "--calling", calling, "--destination", "WS1")
    _, shown, _ = run("counting.yaml", *arguments, "--at", f"sub-operation={place}")
    first = shown.splitlines()[0]
    assert (f'fires "{rule}"' in first) if rule else first.endswith("fired no rule.")


def test_a_state_that_is_said_is_that_of_the_sub_operation_itself(run: Run) -> None:
    Path("counting.yaml").write_text(COUNTING)
    arguments = ("--service", "C-MOVE", "--calling", "D", "--at", "sub-operation=2", "--state", "archive=open")
    assert run("counting.yaml", *arguments)[0] == 1


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("1/9", None),
        ("2/9", "sub-operation 1 is taken to have been like this one, with an instance of its own"),
        ("4/9", "sub-operations 1 to 3 are taken to have been like this one, with instances of their own"),
        ("last", "of how many it is the last was not said, so none before it was counted: write sub-operation=last/12"),
    ],
)
def test_what_is_taken_for_granted_is_said_where_something_counts(run: Run, place: str, told: str | None) -> None:
    Path("counting.yaml").write_text(COUNTING)
    Path("retrieves.yaml").write_text(RETRIEVES)
    arguments = ("--service", "C-MOVE", "--at", f"sub-operation={place}")
    last = run("counting.yaml", *arguments)[1].splitlines()[-1]
    assert last == told if told else "taken" not in last
    assert "taken" not in run("retrieves.yaml", *arguments)[1]


def test_the_third_of_the_shipped_scenario_fails(run: Run) -> None:
    asked = ("move-some-fail", "--service", "C-MOVE", "--at")
    assert [run(*asked, f"sub-operation={number}/4")[0] for number in (1, 2, 3, 4)] == [1, 1, 0, 1]


def test_a_rule_can_be_about_a_destination(run: Run) -> None:
    Path("d.yaml").write_text("mockpacs: 1\nrules: [{ when: { service: C-MOVE, destination: WS1 }, then: abort }]\n")
    asked = ("d.yaml", "--service", "C-MOVE", "--destination")
    assert [run(*asked, title)[0] for title in ("WS1", "WS2")] == [0, 1]


def test_a_file_is_the_instance_of_a_sub_operation(run: Run) -> None:
    Path("retrieves.yaml").write_text(RETRIEVES.replace("MR Image", "CT Image"))
    status, shown, _ = run("retrieves.yaml", image(), "--service", "C-MOVE", "--at", "sub-operation=5")
    assert (status, 'fires "mr"' in shown) == (0, True)


def test_a_file_of_another_service_gives_its_attributes(run: Run) -> None:
    status, shown, _ = run("s.yaml", image(), "--service", "C-FIND", "--sop-class", "study-root")
    assert (status, 'fires "tag"' in shown) == (0, True)


def test_several_scenarios_are_played_together_and_shipped_ones_have_names(run: Run) -> None:
    status, shown, _ = run("s.yaml", "disk-full", "--service", "C-STORE")
    assert status == 0
    assert "disk-full.yaml:" in shown.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a scenario"),
        (["image.dcm"], "name a scenario"),
        (["s.yaml"], "say what is asked: --service C-STORE"),
        (["nowhere.yaml", "--service", "C-ECHO"], "nowhere.yaml: cannot be read"),
        (["diskfull", "--service", "C-ECHO"], 'Did you mean "disk-full"?'),
        (["s.yaml", "text.txt"], "text.txt: neither a scenario (.yaml) nor a DICOM file"),
        (["s.yaml", "empty"], "empty: neither a scenario (.yaml) nor a DICOM file"),
        (["s.yaml", "image.dcm", "more.dcm"], "one DICOM file at a time"),
        (["s.yaml", "--service", "C-STORED"], '--service: "C-STORED" is not one of C-ECHO'),
        (["s.yaml", "--event", "arrive"], '--event: "arrive" is not one of connect'),
        (["s.yaml", "--event", "abort", "--service", "C-ECHO"], "not both"),
        (["s.yaml", "--event", "abort", "--at", "response"], "an event has no moments"),
        (["s.yaml", "--service", "C-ECHO", "--at", "responce"], 'did you mean "response"?'),
        (["s.yaml", "--service", "C-ECHO", "--at", "received"], "have an amount"),
        (["s.yaml", "--service", "C-ECHO", "--at", "response=3"], "have an amount"),
        (["s.yaml", "--service", "C-ECHO", "--at", "received=much"], '"much" is not'),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation"], "--at: write sub-operation=3/12, or "),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation="], "--at: write sub-operation=3/12, or "),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation=4/3"], "--at: there is no sub-operation 4 of 3"),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation=last/0"], "--at: "),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation=65536"], "--at: "),
        (["s.yaml", "--service", "C-GET", "--destination", "WS"], "--destination: only a C-MOVE has one"),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation=0"], "--at: "),
        (["s.yaml", "--service", "C-MOVE", "--at", "sub-operation=1/last"], "--at: "),
        (["s.yaml", "--service", "C-ECHO", "--status", "fine"], '"fine" is not a status'),
        (["s.yaml", "--service", "C-ECHO", "--sop-class", "CT Imago"], '--sop-class: "CT Imago" is no UID'),
        (["s.yaml", "--service", "C-ECHO", "--sop-class", "1.2.*"], "stands for many"),
        (["s.yaml", "--service", "C-ECHO", "--transfer-syntax", "x"], '--transfer-syntax: "x" is no UID'),
        (["s.yaml", "--service", "C-FIND", "--key", "PatientID"], '"PatientID" is not NAME=VALUE'),
        (["s.yaml", "--service", "C-FIND", "--key", "Patient=1"], 'unknown attribute "Patient"'),
        (["s.yaml", "--service", "C-ECHO", "--state", "disk=full"], 'the scenarios have no state "disk"'),
        (["s.yaml", "--service", "C-ECHO", "--bogus"], "--bogus"),
    ],
)
def test_nonsense_is_a_sentence_and_status_2(run: Run, arguments: list[str], sentence: str) -> None:
    image()
    image("more.dcm")
    Path("text.txt").write_text("this is no DICOM file at all\n")
    Path("empty").touch()
    status, shown, complaint = run(*arguments)
    assert (status, shown) == (2, "")
    assert sentence in complaint
