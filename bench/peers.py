"""The servers that are compared, and how each is configured: plain archives, as their packages and makers have them."""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.servers import AE_TITLE, ROOT, Peer, Server, free_port


def _mockpacs(directory: Path, port: int) -> list[str]:
    serve = [sys.executable, "-m", "mockpacs", "serve", "--host", "127.0.0.1", "--port", str(port)]
    return [*serve, "--storage", str(directory / "storage")]


@functools.cache
def _mockpacs_missing() -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mockpacs", "--version"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else f"does not run: {done.stderr.strip()[-200:]}"


def _orthanc(directory: Path, port: int) -> list[str]:
    (directory / "storage").mkdir(exist_ok=True)
    configuration = directory / "orthanc.json"
    settings = {
        "Name": "bench",
        "StorageDirectory": str(directory / "storage"),
        "IndexDirectory": str(directory / "storage"),
        "StorageCompression": False,
        "OverwriteInstances": False,
        "HttpServerEnabled": True,
        "HttpPort": free_port(),
        "RemoteAccessAllowed": False,
        "DicomAet": AE_TITLE,
        "DicomPort": port,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowMove": True,
        "Plugins": [],
    }
    configuration.write_text(json.dumps(settings))
    return ["Orthanc", str(configuration)]


def _orthanc_stored(server: Server) -> int:
    port = json.loads((server.directory / "orthanc.json").read_text())["HttpPort"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/statistics", timeout=10) as answer:
        return int(json.load(answer)["CountInstances"])


def _dcmqrscp(directory: Path, port: int) -> list[str]:
    (directory / "area").mkdir(exist_ok=True)
    configuration = directory / "dcmqrscp.cfg"
    configuration.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 64\n"
        "HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{AE_TITLE} {directory / 'area'} RW (5000, 4096mb) ANY\nAETable END\n"
    )
    return ["dcmqrscp", "-c", str(configuration)]


def _storescp(directory: Path, port: int) -> list[str]:
    (directory / "area").mkdir(exist_ok=True)
    return ["storescp", "-od", str(directory / "area"), str(port)]


def _pynetdicom_storescp(directory: Path, port: int) -> list[str]:
    area = directory / "area"
    area.mkdir(exist_ok=True)
    return [sys.executable, "-m", "pynetdicom", "storescp", "-ba", "127.0.0.1", "-od", str(area), str(port)]


def _qrscp(directory: Path, port: int) -> list[str]:
    area = directory / "area"
    area.mkdir(exist_ok=True)
    where = ["--database-location", str(directory / "qrscp.sqlite"), "--instance-location", str(area)]
    return [sys.executable, "-m", "pynetdicom", "qrscp", "--port", str(port), "-ba", "127.0.0.1", *where]


def _files(directory: str) -> Callable[[Server], int]:
    def count(server: Server) -> int:
        paths = (server.directory / directory).rglob("*")
        return sum(1 for path in paths if path.is_file() and path.name != "index.dat")

    return count


def _mockpacs_stored(server: Server) -> int:
    return sum(1 for _ in (server.directory / "storage" / "archive").rglob("*.dcm"))


def _needs_program(name: str) -> Callable[[], str]:
    return lambda: "" if shutil.which(name) else "not installed"


def _needs_modules(*names: str) -> Callable[[], str]:
    return lambda: "".join(f"not installed: {name}" for name in names if importlib.util.find_spec(name) is None)


MOCKPACS = Peer("mockpacs", "mockpacs", _mockpacs, _mockpacs_missing, _mockpacs_stored, {"PYTHONPATH": str(ROOT)})
ORTHANC = Peer("orthanc", "Orthanc", _orthanc, _needs_program("Orthanc"), _orthanc_stored)
DCMQRSCP = Peer("dcmqrscp", "dcmqrscp", _dcmqrscp, _needs_program("dcmqrscp"), _files("area"))
STORESCP = Peer("storescp", "storescp", _storescp, _needs_program("storescp"), _files("area"))
QRSCP = Peer(
    "qrscp", "pynetdicom qrscp", _qrscp, _needs_modules("pynetdicom", "sqlalchemy"), _files("area"), is_slow=True
)
PYNETDICOM = Peer(
    "pynetdicom",
    "pynetdicom storescp",
    _pynetdicom_storescp,
    _needs_modules("pynetdicom"),
    _files("area"),
    is_slow=True,
)

ALL: Sequence[Peer] = (MOCKPACS, ORTHANC, DCMQRSCP, STORESCP, QRSCP, PYNETDICOM)

DESTINATION = "DESTINATION"
"""The AE title of the move destination that a server made by `knowing` has in its configuration."""


def knowing(peer: Peer, port: int) -> Peer:
    """The same server with one move destination, at a port of this machine."""

    def command(directory: Path, own_port: int) -> list[str]:
        words = peer.command(directory, own_port)
        if peer.name == MOCKPACS.name:
            return [*words, "--peer", f"{DESTINATION}=127.0.0.1:{port}"]
        if peer.name == ORTHANC.name:
            path = directory / "orthanc.json"
            modalities = {"DicomModalities": {"destination": [DESTINATION, "127.0.0.1", port]}}
            path.write_text(json.dumps(json.loads(path.read_text()) | modalities))
        elif peer.name == DCMQRSCP.name:
            path = directory / "dcmqrscp.cfg"
            host = f"HostTable BEGIN\ndestination = ({DESTINATION}, 127.0.0.1, {port})\n"
            path.write_text(path.read_text().replace("HostTable BEGIN\n", host))
        return words

    return replace(peer, command=command)
