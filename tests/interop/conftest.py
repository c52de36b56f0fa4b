"""A server in this process with its storage on disk, and a reference to compare with: DCMTK's own storage server."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import _config

from mockpacs import MockPACS
from tests.interop import phantom
from tests.interop.collection import COLLECTION
from tests.interop.programs import run, running, until


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def pacs(storage: Path) -> Iterator[MockPACS]:
    with MockPACS(storage=storage) as serving:
        yield serving


@pytest.fixture
def bytes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom sends the data set of a file as it is, and does not decode it first."""
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port and the folder of a storescp that writes what it receives, bit by bit: what a client really sent."""
    folder = tmp_path / "reference"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running("storescp", "+B", "+xa", "+uf", "-od", folder, port, nagle=False, **quiet):
        until(lambda: run("echoscu", "127.0.0.1", port).status == 0, "storescp answers")
        yield port, folder


@pytest.fixture(scope="package")
def archive_to_ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockPACS]:
    """A server that holds `COLLECTION`, stored by storescu. Tests only ask it."""
    with MockPACS() as serving:
        paths = phantom.write(tmp_path_factory.mktemp("collection"), COLLECTION)
        ran = run("storescu", "-v", serving.host, serving.port, *paths)
        assert ran.text.count("Received Store Response (Success)") == len(paths), ran.text
        yield serving
