"""What a recorded server brought for C-GET and C-MOVE is brought again, byte for byte, and counted as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.replay.server import compiled
from mockpacs.replay.tape import Tape
from mockpacs.serving import Play
from mockpacs.wire import Command, response_to
from tests.net.wire_client import RETRIEVE_CONTEXTS, WireClient, ct_image
from tests.replay.served import AS_SCP, asking, record, replayed, study

IMAGES = [ct_image(f"1.2.3.4.{number}", pixels=64 * number) for number in (1, 2, 3)]


def fill(pacs: MockPACS) -> None:
    with asking(pacs, calling="FILLER") as client:
        for number, image in enumerate(IMAGES, 1):
            assert client.store(image, f"1.2.3.4.{number}") == 0


def counted(command: Command) -> tuple[int | None, ...]:
    return (
        command.status,
        command.completed_sub_operations,
        command.failed_sub_operations,
        command.warning_sub_operations,
        command.remaining_sub_operations,
    )


def get(pacs: MockPACS) -> list[Any]:
    """What was brought, and what the responses said."""
    heard: list[Any] = []
    with asking(pacs, *RETRIEVE_CONTEXTS, roles=AS_SCP) as client:
        client.send(client.get_request(study()))
        while True:
            command, data = client.response()
            if command.is_request:
                heard.append((command.affected_sop_instance, data))
                client.send(client.message(3, response_to(command, 0)))
                continue
            heard.append((*counted(command), data, command.error_comment))
            if command.status != 0xFF00:
                return heard


def moved(pacs: MockPACS) -> list[Any]:
    """What the responses to a C-MOVE said."""
    with asking(pacs, *RETRIEVE_CONTEXTS) as client:
        client.send(client.move_request(study(), "THERE"))
        return [(*counted(command), data, command.error_comment) for command, data in client.responses()]


def test_what_was_got_is_got_again_byte_for_byte(tmp_path: Path) -> None:
    heard = []
    path = record(tmp_path, lambda pacs: heard.append(get(pacs)), before=fill)
    with replayed(path) as again:
        heard.append(get(again.pacs))

    assert heard[0] == heard[1]
    assert [one[1] for one in heard[0] if len(one) == 2] == IMAGES
    assert again.differences == ["never asked: 1.1 C-STORE (3 times)"]


@pytest.mark.parametrize(
    "rules",
    [
        "- { when: { service: C-GET, at: { sub-operation: 2 } }, then: { status: out-of-resources } }",
        "- { when: { service: C-GET, at: { sub-operation: last } }, then: { status: B000 } }",
        "- { when: { service: C-GET, at: sub-operation }, then: { status: out-of-resources } }",
        "- { when: { service: C-GET }, then: { status: A900, comment: Not you } }",
        "- { when: { service: C-GET, at: response, status: success }, then: { status: B000, comment: Nearly } }",
        "- { when: { service: C-GET, at: response, status: success }, then: { lie: { completed: 7, failed: 1 } } }",
    ],
)
def test_what_failed_fails_again(tmp_path: Path, rules: str) -> None:
    heard = []
    path = record(tmp_path, lambda pacs: heard.append(get(pacs)), before=fill, scenario=f"rules:\n  {rules}")
    with replayed(path) as again:
        heard.append(get(again.pacs))

    assert heard[0] == heard[1]


def test_what_was_moved_is_moved_again(tmp_path: Path) -> None:
    heard = []
    with MockPACS(aet="THERE") as there:
        peer = (f"THERE={there.host}:{there.port}",)
        path = record(tmp_path, lambda pacs: heard.append(moved(pacs)), before=fill, peer=peer)
        there.archive.clear()
        with replayed(path, peer=peer) as again:
            heard.append(moved(again.pacs))
            assert len(again.pacs.archive.instances()) == 3
        brought = [instance.sop_instance for instance in there.archive.instances()]

    assert heard[0] == heard[1]
    assert brought == ["1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"]
    assert again.compiled.destinations == ("THERE",)


def test_without_its_destination_a_move_is_refused(tmp_path: Path) -> None:
    with MockPACS(aet="THERE") as there:
        peer = (f"THERE={there.host}:{there.port}",)
        path = record(tmp_path, moved, before=fill, peer=peer)
    with replayed(path) as again:
        assert moved(again.pacs)[-1][0] == 0xA801


def test_a_retrieve_that_ended_in_the_middle_ends_there_again(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { service: C-MOVE, at: { sub-operation: 3 } }, then: abort }]"

    def talk(pacs: MockPACS) -> list[Any]:
        with WireClient(pacs.host, pacs.port) as client:
            client.associate(*RETRIEVE_CONTEXTS)
            client.send(client.move_request(study(), "THERE"))
            heard: list[Any] = [counted(client.response()[0]) for _ in range(2)]
            return [*heard, client.read_abort()]

    heard = []
    with MockPACS(aet="THERE") as there:
        peer = (f"THERE={there.host}:{there.port}",)
        path = record(tmp_path, lambda pacs: heard.append(talk(pacs)), before=fill, peer=peer, scenario=scenario)
        with replayed(path, peer=peer) as again:
            heard.append(talk(again.pacs))

    assert heard[0] == heard[1]


def test_a_server_that_went_on_after_a_cancel_goes_on_again(tmp_path: Path) -> None:
    scenario = "rules: [{ when: { event: cancel }, then: nothing }]"

    def talk(pacs: MockPACS) -> list[Any]:
        heard: list[Any] = []
        with asking(pacs, *RETRIEVE_CONTEXTS, roles=AS_SCP) as client:
            client.send(client.get_request(study()))
            while True:
                command, _ = client.response()
                if command.is_request:
                    if not heard:
                        client.send(client.cancel_request(context_id=9))
                    heard.append(command.affected_sop_instance)
                    client.send(client.message(3, response_to(command, 0)))
                elif command.status != 0xFF00:
                    return [*heard, command.status]

    path = record(tmp_path, talk, before=fill, scenario=scenario)
    with replayed(path) as again:
        assert talk(again.pacs) == ["1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3", 0]


def test_what_went_where_nobody_captured_it_is_what_others_got_of_the_study(tmp_path: Path) -> None:
    def both(pacs: MockPACS) -> list[Any]:
        return [get(pacs), moved(pacs)]

    heard = []
    with MockPACS(aet="THERE") as there:
        peer = (f"THERE={there.host}:{there.port}",)
        path = record(tmp_path, lambda pacs: heard.append(both(pacs)), before=fill, peer=peer)
        with Tape.open(path) as tape:
            tape.associations = tuple(one for one in tape.associations if not one.cause)
            made = compiled(tape)
            there.archive.clear()
            with MockPACS(play=Play(made.script, made.fill), peer=peer) as again:
                heard.append(both(again))
        assert len(there.archive.instances()) == 3

    assert heard[0] == heard[1]


def test_what_nobody_has_is_counted_and_not_sent(tmp_path: Path) -> None:
    heard = []
    with MockPACS(aet="THERE") as there:
        peer = (f"THERE={there.host}:{there.port}",)
        path = record(tmp_path, lambda pacs: heard.append(moved(pacs)), before=fill, peer=peer)
        with Tape.open(path) as tape:
            tape.associations = tuple(one for one in tape.associations if not one.cause)
            made = compiled(tape)
            there.archive.clear()
            with MockPACS(play=Play(made.script, made.fill), peer=peer) as again:
                heard.append(moved(again))
        assert not there.archive.instances()

    assert heard[0] == heard[1]
    assert "what went to THERE was not recorded" in "".join(made.notes)


def test_an_instance_that_came_between_two_retrieves_is_told(tmp_path: Path) -> None:
    def talk(pacs: MockPACS) -> None:
        get(pacs)
        with asking(pacs, calling="FILLER") as client:
            assert client.store(ct_image("1.2.3.4.9"), "1.2.3.4.9") == 0
        get(pacs)

    path = record(tmp_path, talk, before=fill)
    with Tape.open(path) as tape:
        notes = compiled(tape).notes
    assert any("3 instances were brought, the archive will have 4" in note for note in notes)
