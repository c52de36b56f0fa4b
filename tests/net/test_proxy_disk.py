"""What a proxy cannot record does not pass it, and a recording goes on in other files while connections do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mockpacs import MockPACS
from mockpacs.errors import RecordingError
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.recording import Recording
from tests.net.proxied import Between, between
from tests.net.wire_client import WireClient, ct_image


def test_a_full_disk_stops_the_traffic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with MockPACS(record=False) as pacs:  # the full disk is that of the proxy
        proxy = Between((pacs.host, pacs.port), tmp_path)
        client = proxy.connect()
        client.associate()
        assert client.echo() == 0

        def full(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("mockpacs.traffic.recorder.os.writev", full)
        client.send(client.echo_request())
        assert client.read() is None
        proxy.wait_for(lambda: any("traffic is stopped" in text for text in proxy.notices))
        monkeypatch.undo()
        with pytest.raises(RecordingError, match="No space left on device"):
            proxy.end()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RecordingError, match="the recording cannot be written"):
        Between(("127.0.0.1", 1), file / "recordings")


@pytest.mark.parametrize("with_rule", [False, True])
def test_a_recording_in_several_files_tells_all_exchanges(tmp_path: Path, with_rule: bool) -> None:
    rules = tmp_path / "faults.yaml"
    rules.write_text("mockpacs: 1\nrules:\n- {when: {service: C-ECHO, calling: NOBODY}, then: reset}\n")
    scenario = (rules,) if with_rule else ()
    with (
        MockPACS() as pacs,
        between((pacs.host, pacs.port), tmp_path / "r", recording_size=65_536, scenario=scenario) as proxy,
        WireClient(proxy.host, proxy.port) as client,
    ):
        client.associate()
        for number in range(12):
            assert client.store(ct_image(f"1.2.{number}", pixels=20_000), f"1.2.{number}") == 0
        client.release()
        client.socket.close()
        proxy.wait_for(lambda: "released" in proxy.notices)
    first = proxy.proxying.recording
    assert first is not None
    parts = sorted((tmp_path / "r").glob("*.pcapng"), key=lambda path: path.stat().st_mtime_ns)
    assert len(parts) > 5
    read = [one for one in Recording.open(first).records() if isinstance(one, Exchange)]
    assert sorted((one.association.number, one.number) for one in read) == [
        (leg, number) for leg in (1, 2) for number in range(1, 13)
    ]
    last = [one for one in Recording.open(parts[-1]).records() if isinstance(one, Exchange)]
    assert {one.number for one in last if one.association.number == 1} <= set(range(8, 13))
    assert {one.number for one in last if one.association.number == 2} <= set(range(8, 13))
