"""Names that want to be paths: whatever a peer calls an instance, nothing is written outside the storage directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.net.conftest import Served, stored
from tests.net.wire_client import CT, ct_image, element

NO_UIDS: dict[str, str] = {
    "a way up": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "a Windows path": "..\\..\\x",
    "a drive": "C:1.2.3",
    "300 characters": "1." * 150,
    "65 characters": "1" * 65,
    "70 000 characters": "1." * 35_000,
    "half a megabyte": "../" * 170_000,
    "nothing": "",
    "a NUL in it": "1.2\0.3",
    "a newline in it": "1.2\n3",
    "a newline behind it": "1.2.3\n",
    "an escape": "1.2\x1b[2J",
    "dots": "..",
    "one dot": ".",
    "many dots": "....",
    "letters": "1.2.abc",
    "not ASCII": "1.2.é",
    "Arabic digits, cut to bytes": "\xd9\xa1.\xd9\xa2",
    "a wild card": "1.2.*",
    "SQL": "1'; DROP TABLE instance; --",
}


@pytest.mark.parametrize("uid", NO_UIDS.values(), ids=NO_UIDS)
def test_an_instance_without_a_uid_is_refused_and_nothing_written(archive: Served, uid: str, tmp_path: Path) -> None:
    client = archive.associate()
    client.send(client.store_request(ct_image("1.2.3.4.5"), uid))
    response, _ = client.response()
    assert response.status == 0x0117
    assert response.error_comment == "The Affected SOP Instance UID is not a UID"
    assert response.offending_elements == (0x00001000,)
    assert stored(archive.storage) == {}
    assert {path.name for path in tmp_path.iterdir()} == {"storage"}
    archive.wait_until_nothing_is_incoming()
    assert client.echo() == 0


def dataset(**uids: str) -> bytes:
    """A CT whose UIDs say something else."""
    return b"".join(
        (
            element(0x00080016, "UI", uids.get("sop_class", CT).encode("latin-1")),
            element(0x00080018, "UI", uids.get("instance", "1.2.3.4.5").encode("latin-1")),
            element(0x00100020, "LO", uids.get("patient", "P1").encode("latin-1")),
            element(0x0020000D, "UI", uids.get("study", "1.2.3").encode("latin-1")),
            element(0x0020000E, "UI", uids.get("series", "1.2.3.1").encode("latin-1")),
        )
    )


@pytest.mark.parametrize("uid", NO_UIDS.values(), ids=NO_UIDS)
def test_a_data_set_cannot_choose_its_folder(archive: Served, uid: str, tmp_path: Path) -> None:
    client = archive.associate()
    for n, part in enumerate(("study", "series", "patient", "instance", "sop_class")):
        name = f"1.2.3.{n}"
        data = dataset(**{"instance": name, part: uid[:60_000]})
        status = client.store(data, name)
        assert status in (0x0000, 0xB007)
        (path,) = [path for path, file in stored(archive.storage).items() if path.endswith(f"/{name}.dcm")]
        assert len(path.split("/")) == 3
        assert stored(archive.storage)[path].endswith(data)
    assert {path.name for path in tmp_path.iterdir()} == {"storage"}
    assert {path.name for path in (tmp_path / "storage").iterdir()} <= {
        *("archive", "incoming", "archive.lock", "index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "recordings")
    }


@pytest.mark.parametrize("uid", ["0", "1", "00.00", "1..2", "1.2.", ".1", "1" * 64, "999999999999999999999999.1"])
def test_a_uid_that_is_only_ugly_is_stored(archive: Served, uid: str) -> None:
    client = archive.associate()
    assert client.store(ct_image(uid), uid) == 0
    assert client.store(ct_image(uid), uid) == 0  # again: the same bytes
    assert len(stored(archive.storage)) == 1


def test_uids_that_differ_in_what_a_file_system_ignores_are_different_instances(archive: Served) -> None:
    client = archive.associate()
    uids = ["1.2", "1.2.", ".1.2", "1..2", "01.2"]
    assert [client.store(ct_image(uid), uid) for uid in uids] == [0] * len(uids)
    assert len(stored(archive.storage)) == len(uids)
