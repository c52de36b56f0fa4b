"""What the kernel knows about a process group: memory and processor time, from /proc (Linux only)."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def members(group: int) -> list[int]:
    """Process ids of a process group: a server that forks counts as a whole."""
    return [pid for pid in _pids() if (fields := _stat(pid)) and int(fields[2]) == group]


def resident_mib(group: int, field: str = "VmRSS") -> float:
    """Resident memory now, or at its highest (`VmHWM`), in MiB."""
    return sum(_status_kib(pid, field) for pid in members(group)) / 1024


def cpu_seconds(group: int) -> float:
    """User and system time so far."""
    return sum(int(fields[11]) + int(fields[12]) for pid in members(group) if (fields := _stat(pid))) / TICKS


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may hold anything, brackets too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _status_kib(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
