"""`python -m bench.inprocess RUNS`: what MockPACS costs a test: start and stop, in one warmed process, as JSON."""

import json
import statistics
import sys
import time

from mockpacs import MockPACS

WARM_UP = 3


def start_and_stop() -> tuple[float, float]:
    """Milliseconds."""
    began = time.perf_counter()
    server = MockPACS(port=0, memory=True)
    server.__enter__()
    started = time.perf_counter()
    server.__exit__(None, None, None)
    return 1000 * (started - began), 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    for _ in range(WARM_UP):
        start_and_stop()
    starts, stops = zip(*(start_and_stop() for _ in range(int(sys.argv[1]))), strict=True)
    print(json.dumps({"start": statistics.median(starts), "stop": statistics.median(stops)}))
