"""`python -m bench.reading FILE`: read a recording to its end, as JSON."""

import json
import sys
import time
from pathlib import Path

from mockpacs.traffic.exchange import Exchange
from mockpacs.traffic.recording.recording import Recording

if __name__ == "__main__":
    path = Path(sys.argv[1])
    began = time.perf_counter()
    exchanges = sum(isinstance(record, Exchange) for record in Recording.open(path).records())
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "milliseconds_per_megabyte": 1000 * seconds / (path.stat().st_size / 1e6),
                "microseconds_per_exchange": 1e6 * seconds / exchanges,
            }
        )
    )
