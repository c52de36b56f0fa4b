"""The table, as Markdown: on the terminal, and in results.md with the machine and the spread of all samples."""

import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.measure import Medians, Metric, Result, Target
from bench.peers import ALL, MOCKPACS, ORTHANC, STORESCP
from bench.servers import Peer

REMARKS = Path(__file__).with_name("remarks.md")  # written by hand: why a target is missed
RATIOS = (ORTHANC, STORESCP)
COMPARED = ("s", "ms", "MiB")  # units in which "so many times less than the peer" says something


def table(results: Sequence[Result]) -> str:
    """All rows: medians, ratios, targets."""
    head = ["what", *(peer.label for peer in ALL), *(f"x {peer.label}" for peer in RATIOS), "reach at least", "aim for"]
    lines = [_line(result, metric) for result in results for metric in result.row.metrics]
    return _markdown(head, lines)


def _line(result: Result, metric: Metric) -> list[str]:
    medians = result.medians(metric)
    cells = [_cell(result, metric, medians, peer) for peer in ALL]
    ratios = [_ratio(medians, peer) if metric.unit in COMPARED else "" for peer in RATIOS]
    return [metric.title, *cells, *ratios, _verdict(metric.reach, medians), _verdict(metric.aim, medians)]


def _cell(result: Result, metric: Metric, medians: Medians, peer: Peer) -> str:
    if peer.name in medians:
        return _number(medians[peer.name], metric.unit)
    reason = result.absent.get(peer.name, "")
    return reason.partition(":")[0]


def _ratio(medians: Medians, peer: Peer) -> str:
    """How many times faster (or smaller) than the peer."""
    ours, theirs = medians.get(MOCKPACS.name), medians.get(peer.name)
    return f"{theirs / ours:.2f}" if ours and theirs else ""


def _verdict(targets: Sequence[Target], medians: Medians) -> str:
    words = {True: "met", False: "MISSED", None: "not measured"}
    return "; ".join(f"{target.text}: {words[target.met(medians)]}" for target in targets)


def missed(results: Sequence[Result]) -> list[str]:
    """The "at least" targets that were measured and not reached."""
    return [
        f"{result.row.name}, {metric.title.removeprefix('- ')}: {target.text}"
        for result in results
        for metric in result.row.metrics
        for target in metric.reach
        if target.met(result.medians(metric)) is False
    ]


def spread(results: Sequence[Result]) -> str:
    """Lowest, median and highest of the samples behind each cell."""
    lines = []
    for result in results:
        for metric in result.row.metrics:
            for peer in ALL:
                values = result.samples.get(peer.name, {}).get(metric.name)
                if values:
                    numbers = (min(values), statistics.median(values), max(values))
                    shown = [_number(number, metric.unit) for number in numbers]
                    lines.append([f"{result.row.name}: {metric.name}", peer.label, str(len(values)), *shown])
    return _markdown(["what", "server", "runs", "lowest", "median", "highest"], lines)


def notes(results: Sequence[Result]) -> str:
    lines = [f"* {result.row.name}: {result.row.note}" for result in results if result.row.note]
    for result in results:
        for name, reason in result.absent.items():
            lines.append(f"* {result.row.name}, {name}: {' '.join(reason.split())}")
    return "\n".join(lines)


def document(results: Sequence[Result], seconds: float) -> str:
    """results.md."""
    unreached = missed(results)
    return "\n".join(
        (
            "# Results of `make bench`",
            "",
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes. Written by `python -m bench`; "
            "what each row does is in [README.md](README.md).",
            "",
            machine(),
            "",
            "Medians of 5 runs, 3 for pynetdicom's servers, or as the notes say. Less is better; `x Orthanc` is how "
            "many times faster mockpacs is.",
            "",
            table(results),
            "",
            "Targets missed:" if unreached else 'Every "at least" target that was measured is reached.',
            *([""] if unreached else []),
            *(f"* {line}" for line in unreached),
            "",
            "## Notes",
            "",
            notes(results) or "None.",
            "",
            *(["## Remarks", "", REMARKS.read_text().strip(), ""] if REMARKS.exists() else []),
            "## Spread",
            "",
            spread(results),
            "",
        )
    )


def machine() -> str:
    rows = [
        ["processor", f"{_processor()}, {os.cpu_count()} cores, shared with the clients"],
        ["memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"],
        ["system", f"{platform.system()} {platform.release()}, {platform.machine()}"],
        ["Python", platform.python_version()],
        *([name, _package(name)] for name in ("pynetdicom", "pydicom", "peewee")),
        ["DCMTK", _first_line(["storescu", "--version"])],
        ["Orthanc", _first_line(["Orthanc", "--version"])],
    ]
    return _markdown(["machine", ""], rows)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _first_line(command: Sequence[str]) -> str:
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.splitlines()[0].strip("$ ") if done.stdout else "unknown"


def _number(value: float, unit: str) -> str:
    if value >= 100 or value == int(value):
        return f"{value:.0f} {unit}".strip()
    return f"{value:.3g} {unit}".strip()


def _markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    rows = [head, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )
