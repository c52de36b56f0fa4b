"""The recording through HTTP: whole blocks, everything that peers were told by then, all its parts."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from mockpacs import MockPACS
from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.folder import recordings
from mockpacs.traffic.recording.recording import Recording
from tests.net.wire_client import WireClient, ct_image
from tests.web.endpoints.asking import client_of


def told(content: bytes, folder: Path) -> list[tuple[str, str, int | None]]:
    """The exchanges in what was downloaded, which has nothing to complain of."""
    path = folder / "downloaded.pcapng"
    path.write_bytes(content)
    recording = Recording.open(path)
    found = [(one.id, one.service, one.status) for one in recording.records() if isinstance(one, Exchange)]
    assert recording.problems == []
    return found


def test_the_recording_so_far(pacs: MockPACS, api: httpx.Client, scu: WireClient, tmp_path: Path) -> None:
    scu.store()
    scu.echo()
    response = api.get("recording.pcapng")

    assert response.headers["content-type"] == "application/x-pcapng"
    assert response.headers["content-disposition"].endswith('.pcapng"')
    assert int(response.headers["content-length"]) == len(response.content)
    assert told(response.content, tmp_path) == [("1.1", "C-STORE", 0), ("1.2", "C-ECHO", 0)]
    about = api.get("recording").json()
    assert (about["path"], about["bytes"]) == (str(pacs.recording), len(response.content))


@pytest.mark.parametrize("stored", [1, 12])
def test_all_its_parts_follow_one_another(stored: int, tmp_path: Path) -> None:
    with (
        MockPACS(http=0, recordings=tmp_path / "kept", recording_size=65_536) as pacs,
        client_of(pacs) as api,
        WireClient(pacs.host, pacs.port) as scu,
    ):
        scu.associate()
        for number in range(stored):
            scu.store(ct_image(f"1.2.{number}", pixels=30_000), f"1.2.{number}")
        about = api.get("recording").json()
        content = api.get("recording.pcapng").content

    assert (len(about["parts"]) > 1) == (stored > 1)
    assert [one["path"] for one in about["parts"]] == [str(path) for path in recordings(tmp_path / "kept")]
    assert len(content) == about["bytes"]
    assert told(content, tmp_path) == [(f"1.{number + 1}", "C-STORE", 0) for number in range(stored)]


def test_a_recording_of_another_run_is_not_part_of_it(tmp_path: Path) -> None:
    for _ in range(2):
        with MockPACS(http=0, recordings=tmp_path) as pacs, client_of(pacs) as api:
            with WireClient(pacs.host, pacs.port) as scu:
                scu.associate()
                scu.store()
            (part,) = api.get("recording").json()["parts"]
            assert part["path"] == str(pacs.recording)


def test_while_it_is_written_it_has_whole_blocks_and_all_that_was_acknowledged(
    pacs: MockPACS, api: httpx.Client, tmp_path: Path
) -> None:
    over = threading.Event()
    acknowledged = [0]

    def store() -> None:
        with WireClient(pacs.host, pacs.port) as scu:
            scu.associate()
            while not over.is_set():
                assert scu.store(ct_image(pixels=20_000)) == 0
                acknowledged[0] += 1

    busy = threading.Thread(target=store)
    busy.start()
    try:
        for _ in range(8):
            least = acknowledged[0]
            found = told(api.get("recording.pcapng").content, tmp_path)
            assert len([one for one in found if one[2] == 0]) >= least
    finally:
        over.set()
        busy.join()
    assert acknowledged[0]
