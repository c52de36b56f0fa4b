"""The faults of a scenario happen to what passes a proxy; where no rule fires, no byte is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from mockpacs import MockPACS
from mockpacs.errors import ScenarioError
from mockpacs.proxying import Proxying, ProxyOptions
from mockpacs.traffic.exchange import Exchange
from mockpacs.wire import Abort, AssociateAC, AssociateRJ, ReleaseRP, ReleaseRQ, encode_pdu
from mockpacs.written.address import Address
from tests.net.proxied import Between, Host, between, is_reset, read_all, read_exactly
from tests.net.wire_client import WireClient, associate_request, ct_image, element


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.close()


STUDY = element(0x00080052, "CS", b"STUDY") + element(0x0020000D, "UI", b"")


@contextmanager
def playing(rules: str, tmp_path: Path, **options: Any) -> Iterator[tuple[MockPACS, Between]]:
    """A server with two studies behind a proxy that plays some rules."""
    file = tmp_path / "faults.yaml"
    file.write_text(f"mockpacs: 1\nrules:\n{dedent(rules)}")
    with MockPACS() as pacs:
        with WireClient(pacs.host, pacs.port) as direct:
            direct.associate()
            for number in (1, 2):
                instance = f"1.2.{number}.1"
                assert direct.store(ct_image(instance, study=f"1.2.{number}"), instance) == 0
            direct.release()
        with between((pacs.host, pacs.port), tmp_path / "recordings", scenario=(file,), **options) as proxy:
            yield pacs, proxy


def associated(proxy: Between, **how: Any) -> WireClient:
    client = proxy.connect()
    answer = client.associate(**how)
    assert isinstance(answer, AssociateAC)
    return client


def statuses(client: WireClient) -> list[int]:
    """Of all responses to a query for studies."""
    return [status for status, _ in client.find(STUDY)]


# nothing fires


def test_without_a_rule_that_fires_no_byte_is_changed(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(
        "mockpacs: 1\nrules:\n"
        "- {when: {service: any, calling: NOBODY, at: response}, then: {status: A700}}\n"
        "- {when: {service: C-STORE, calling: NOBODY, at: {received: 1}}, then: reset}\n"
    )
    said = associate_request()
    odd = [
        said,
        b"\x04\x00\x00\x00\x00\x03abc",
        b"\x04\x00\x00\x00\x00\x06\x00\x00\x00\x02\x01\x03",
        b"\x99garbage",
        said[:70],
    ]
    with between(host.address, scenario=(file,)) as proxy:
        client, server = proxy.connect().socket, host.accept()
        for one in odd:
            client.sendall(one)
            assert read_exactly(server, len(one)) == one
            server.sendall(one)
            assert read_exactly(client, len(one)) == one
        client.close()
        assert read_all(server) == b""


def test_half_a_pdu_arrives_with_the_end(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("mockpacs: 1\nrules:\n- {when: {service: any, calling: NOBODY}, then: reset}\n")
    with between(host.address, scenario=(file,)) as proxy:
        client, server = proxy.connect(), host.accept()
        client.send(associate_request()[:60])
        client.socket.shutdown(1)
        assert read_all(server) == associate_request()[:60]
        server.sendall(b"\x07\x00\x00")
        server.shutdown(1)
        assert read_all(client.socket) == b"\x07\x00\x00"


# events


def test_an_association_is_rejected_before_the_server_hears_of_it(tmp_path: Path) -> None:
    with playing("- {name: no, when: {event: associate, calling: BAD}, then: {reject: transient}}", tmp_path) as (
        pacs,
        proxy,
    ):
        assert proxy.connect().associate(calling="BAD") == AssociateRJ(2, 1, 1)
        client = associated(proxy, calling="GOOD")
        assert client.echo() == 0
        assert "BAD" not in [one.association.calling for one in pacs.exchanges]
    assert 'association rejected: rule "no" (result 2, source 1, reason 1)' in proxy.notices


@pytest.mark.parametrize("event", ["associate", "release"])
@pytest.mark.parametrize(("step", "end"), [("abort", Abort(0, 0)), ("close", None), ("reset", None)])
def test_an_association_is_ended_on_both_sides(host: Host, tmp_path: Path, event: str, step: str, end: Any) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(f"mockpacs: 1\nrules:\n- {{when: {{event: {event}}}, then: {step}}}\n")
    with between(host.address, tmp_path / "recordings", scenario=(file,)) as proxy:
        client, server = proxy.connect(), host.accept()
        asked = associate_request()
        client.send(asked)
        if event == "release":
            assert read_exactly(server, len(asked)) == asked
            client.send(encode_pdu(ReleaseRQ()))
        assert client.read() == end
        if step == "reset":
            assert is_reset(server)
        else:
            read_all(server) if step == "close" else is_reset(server)
    assert any('by us: rule "faults.yaml:3"' in text for text in proxy.notices)


def test_a_release_is_not_answered_when_nothing_is_to_happen(tmp_path: Path) -> None:
    with playing("- {when: {event: release}, then: nothing}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(encode_pdu(ReleaseRQ()))
        assert client.echo() == 0
        client.has_heard_all()


def test_what_happens_at_connect_comes_before_the_server_is_called(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("mockpacs: 1\nrules:\n- {when: {event: connect}, times: 1, then: reset}\n")
    with between(host.address, scenario=(file,)) as proxy:
        with pytest.raises(ConnectionResetError):  # perhaps while it still connects
            proxy.connect().socket.recv(1)
        proxy.connect().send(associate_request())
        assert read_exactly(host.accept(), 10) == associate_request()[:10]


def test_the_clients_fin_is_kept_from_the_server(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("mockpacs: 1\nrules:\n- {when: {event: close}, then: {delay: 300ms}}\n")
    with between(host.address, scenario=(file,)) as proxy:
        client, server = proxy.connect(), host.accept()
        client.socket.close()
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.recv(1)
        server.settimeout(20)
        assert server.recv(1) == b""


# requests


def test_a_request_is_delayed(tmp_path: Path) -> None:
    with playing("- {when: {service: C-ECHO}, then: {delay: 300ms}}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.echo()
        client.socket.settimeout(20)
        command, _ = client.response()
        assert command.status == 0
        client.release()
        proxy.wait_for(lambda: proxy.exchanges)
        told = proxy.exchanges[0]
        assert (told.rule, told.fault) == ("faults.yaml:3", "delay 300 ms")
        assert told.seconds > 0.25
    read = [one for one in proxy.recorded() if isinstance(one, Exchange) and not one.asked_by_us]
    assert [(one.rule, one.fault) for one in read] == [("faults.yaml:3", "delay 300 ms")]


def test_a_status_is_put_into_the_servers_answer(tmp_path: Path) -> None:
    rule = "- {name: full, when: {service: C-STORE}, then: {status: A700, comment: disk full}}"
    with playing(rule, tmp_path) as (pacs, proxy):
        client = associated(proxy)
        client.send(client.store_request(ct_image("1.2.9.1"), "1.2.9.1"))
        command, _ = client.response()
        assert (command.status, command.error_comment, command.affected_sop_instance) == (
            0xA700,
            "disk full",
            "1.2.9.1",
        )
        assert client.echo() == 0
        client.release()
        assert pacs.archive.counts().instances == 3
        proxy.wait_for(lambda: proxy.exchanges)
        told = proxy.exchanges[0]
        assert (told.status, told.comment, told.rule, told.fault) == (0xA700, "disk full", "full", "status A700")
    legs = [one for one in proxy.recorded() if isinstance(one, Exchange) and one.service == "C-STORE"]
    assert sorted((one.id, one.asked_by_us, one.status, one.rule) for one in legs) == [
        ("1.1", False, 0xA700, "full"),
        ("2.1", True, 0, ""),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{when: {service: C-FIND}, then: {status: A700}}", [0xA700]),
        ("{when: {service: C-FIND, at: before-response}, then: {status: C001}}", [0xC001]),
        ("{when: {service: C-FIND, at: after-response}, then: {delay: 1ms}}", [0xFF00, 0xFF00, 0]),
        ("{when: {service: C-FIND, at: response, status: success}, then: {status: A700}}", [0xFF00, 0xFF00, 0xA700]),
        ("{when: {service: C-FIND, at: response, status: FF00}, then: {status: FF01}}", [0xFF01, 0xFF01, 0]),
        ("{when: {service: C-FIND, query: {StudyInstanceUID: 1.2.1}}, then: {status: A700}}", [0xFF00, 0xFF00, 0]),
    ],
)
def test_the_responses_of_a_query_are_changed(tmp_path: Path, rule: str, expected: list[int]) -> None:
    with playing(f"- {rule}", tmp_path) as (_, proxy):
        client = associated(proxy)
        assert statuses(client) == expected
        assert client.echo() == 0
        client.release()


def test_no_response_is_passed_on(tmp_path: Path) -> None:
    with playing("- {when: {service: C-FIND}, then: nothing}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(client.find_request(STUDY))
        assert client.echo() == 0
        client.release()
        client.socket.close()
        proxy.wait_for(lambda: len(proxy.exchanges) == 2)
    told = next(one for one in proxy.exchanges if one.service == "C-FIND")
    assert (told.status, told.rule, told.fault) == (None, "faults.yaml:3", "nothing")


def test_an_association_is_aborted_within_a_data_set(tmp_path: Path) -> None:
    with playing("- {when: {service: C-STORE, at: {received: 1}}, then: abort}", tmp_path) as (pacs, proxy):
        client = associated(proxy)
        client.send(client.store_request(ct_image("1.2.9.1"), "1.2.9.1"))
        assert client.read_abort() == (0, 0)
        assert read_all(client.socket) == b""
        proxy.wait_for(lambda: proxy.exchanges)
        assert (proxy.exchanges[0].status, proxy.exchanges[0].rule) == (None, "faults.yaml:3")
        assert pacs.archive.counts().instances == 2


def test_after_the_answer_comes_the_end(tmp_path: Path) -> None:
    with playing("- {when: {service: C-ECHO}, then: [{status: 0110}, reset]}", tmp_path) as (_, proxy):
        client = associated(proxy)
        assert client.echo() == 0x0110
        assert client.read() is None


def test_the_bytes_of_an_answer_are_changed_and_cut(tmp_path: Path) -> None:
    rules = """
    - {when: {service: C-ECHO}, times: 1, then: {corrupt: {offset: 6, xor: "01"}}}
    - {when: {service: C-ECHO, at: response}, then: {truncate: 10, close: whole}}
    """
    with playing(rules, tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(client.echo_request())
        honest = associated(proxy, calling="OTHER")
        changed = read_exactly(client.socket, 20)
        honest.send(honest.echo_request())
        cut = read_all(honest.socket)
        assert len(cut) == 10
        assert changed[:6] + bytes([changed[6] ^ 1]) + changed[7:10] == cut


def test_a_lie_is_told(tmp_path: Path) -> None:
    with playing("- {when: {service: C-ECHO}, then: {lie: {message_id: 4242}}}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(client.echo_request())
        command, _ = client.response()
        assert command.message_id_responded_to == 4242


def test_what_is_said_drips(tmp_path: Path) -> None:
    with playing("- {when: {event: associate}, then: {drip: {bytes: 50, every: 1ms}}}", tmp_path) as (_, proxy):
        client = associated(proxy)
        assert client.echo() == 0
        assert statuses(client) == [0xFF00, 0xFF00, 0]
        client.release()


def test_silence_keeps_the_connection(tmp_path: Path) -> None:
    with playing("- {when: {service: C-ECHO}, then: silence}", tmp_path, network_timeout=0.2) as (_, proxy):
        client = associated(proxy)
        client.send(client.echo_request())
        client.socket.settimeout(0.6)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)


def test_a_rule_fires_as_often_as_it_says_and_is_counted(tmp_path: Path) -> None:
    with playing("- {name: third, when: {service: C-ECHO}, nth: 3, then: {status: 0110}}", tmp_path) as (_, proxy):
        client = associated(proxy)
        assert [client.echo() for _ in range(4)] == [0, 0, 0x0110, 0]
        client.release()
        client.socket.close()
    assert [(one.name, one.fired) for one in proxy.proxying.summary.rules] == [("third", 1)]


def test_a_cancel_is_kept_from_the_server(tmp_path: Path) -> None:
    with playing("- {when: {event: cancel}, then: nothing}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(client.cancel_request())
        assert client.echo() == 0
        proxy.wait_for(lambda: any("at cancel" in text for text in proxy.notices))


def test_an_aborting_client_is_passed_on(tmp_path: Path) -> None:
    with playing("- {when: {service: any, calling: NOBODY}, then: reset}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(encode_pdu(Abort(0, 0)))
        assert read_all(client.socket) == b""
        proxy.wait_for(lambda: any("aborted by the requestor" in text for text in proxy.notices))


def test_release_still_works(tmp_path: Path) -> None:
    with playing("- {when: {service: any, at: response}, then: {delay: 1ms}}", tmp_path) as (_, proxy):
        client = associated(proxy)
        client.send(encode_pdu(ReleaseRQ()))
        assert client.read() == ReleaseRP()


# what a proxy cannot do


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{when: {service: C-FIND}, then: {pending: {take: 1}}}", "pending: the server has the matches"),
        ("{when: {service: C-STORE}, then: {store: false}}", "store: the server stores"),
        ("{when: {event: associate}, then: {accept: {max_pdu: 4096}}}", "accept: the server accepts"),
        ("{when: {service: C-MOVE, at: sub-operation}, then: {status: A700}}", "the server does the sub-operations"),
        ("{when: {service: C-STORE, at: {received: 9}}, then: {status: A700}}", "status in the middle of a request"),
        ("{when: {service: C-FIND}, then: {wait: cancel}}", "wait: what waits for the peer is the server"),
        ("{when: {service: C-ECHO}, then: [{status: 0110}, {status: success}]}", "it answers several times"),
    ],
)
def test_what_only_a_server_can_do_is_refused(tmp_path: Path, rule: str, why: str) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text(f"mockpacs: 1\nrules:\n- {rule}\n")
    options = ProxyOptions(to=Address("127.0.0.1", 1), listen=Address("127.0.0.1", 0), record=False, scenario=(file,))
    with pytest.raises(ScenarioError, match=why) as no:
        Proxying(options).start()
    assert str(no.value).startswith(f"{file}:3: ")
