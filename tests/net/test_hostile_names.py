"""Peer text in what people read: control characters and escapes never reach a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mockpacs.traffic.render import as_json
from mockpacs.wire import UserIdentity
from tests.net.conftest import Served
from tests.net.wire_client import ct_image, element

NASTY = (
    "\x1b[31mRED",
    "\x1b]0;title\x07",
    "a\rb\nc",
    "\x00\x08\x7f",
    "\u0085\u009b31m",
    "<script>",
    "%s%n{0}",
    "\x0e\x9f",
)


@pytest.mark.parametrize("text", NASTY, ids=range(len(NASTY)))
def test_no_line_holds_a_control_character(server: Served, text: str) -> None:
    identity = UserIdentity(1, False, text.encode() + b"\xff\xfe", b"")
    client = server.associate(calling=text[:16], called=text[::-1][:16], user_identity=identity)
    assert client.echo() == 0
    client.store(ct_image(patient=text), text)
    client.find(
        element(0x00080052, "CS", text.encode("latin-1", "replace"))
        + element(0x00100010, "PN", text.encode("latin-1", "replace") + b"*")
        + element(0x00100020, "LO", b"\xff\x1b[2J")
    )
    client.find(
        element(0x00080052, "CS", b"STUDY") + element(0x00100010, "PN", text.encode("latin-1", "replace") + b"*")
    )
    client.send(b"\x1b\x5b2J rest")
    assert client.read_abort() == (2, 1)
    assert len(server.records) >= 6
    for line in server.lines.split("\n"):
        assert line.isprintable(), repr(line)
        assert len(line) < 400
    for record in server.records:
        assert json.dumps(as_json(record)).isprintable()


def test_a_long_name_is_cut(server: Served) -> None:
    client = server.associate()
    client.send(client.store_request(ct_image(), "../" * 100_000))
    assert client.status() == 0x0117
    client.send(client.store_request(ct_image(), "1.2.3", sop_class="x" * 500_000))
    assert client.status() == 0x0122
    assert max(map(len, server.lines.split("\n"))) < 400


def test_a_rejected_title_is_told_harmlessly(serve: Callable[..., Served]) -> None:
    server = serve(called_aets=["ONLY", "MOCKPACS"])
    server.connect().associate(called="\x1b[2J\x07")
    (notice,) = server.notices("rejected")
    assert "\x1b" not in server.lines
    assert "called AE title" in notice.text
    server.still_serves()
