"""`python -m bench.inprocess RUNS`: what MockPACS costs a test: start and stop, in one warmed process, as JSON.

Three ways take turns: as a test has it; with the control API open; with a control API that was asked something.
"""

import json
import statistics
import sys
import time
import urllib.request

from mockpacs import MockPACS

WARM_UP = 3
WAYS = ("", "http", "asked")


def start_and_stop(way: str) -> tuple[float, float]:
    """Milliseconds."""
    began = time.perf_counter()
    server = MockPACS(port=0, memory=True, http=0 if way else "off")
    server.__enter__()
    started = time.perf_counter()
    if way == "asked":
        with urllib.request.urlopen(f"{server.url}/api/v1/health", timeout=20) as answer:
            answer.read()
    asked = time.perf_counter()
    server.__exit__(None, None, None)
    return 1000 * (started - began), 1000 * (time.perf_counter() - asked)


if __name__ == "__main__":
    for _ in range(WARM_UP):
        for way in WAYS:
            start_and_stop(way)
    measured: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(int(sys.argv[1])):
        for way in WAYS:
            measured[way].append(start_and_stop(way))
    medians = {}
    for way, pairs in measured.items():
        starts, stops = zip(*pairs, strict=True)
        suffix = f"-{way}" if way else ""
        medians |= {f"start{suffix}": statistics.median(starts), f"stop{suffix}": statistics.median(stops)}
    print(json.dumps(medians))
