"""`python -m bench`: run the rows, print the table; a full run writes bench/results.md."""

import argparse
import os
import sys
import time
from pathlib import Path

from bench import (
    report,
    rows_big,
    rows_find,
    rows_network,
    rows_recording,
    rows_retrieve,
    rows_scenario,
    rows_start,
    rows_store,
)
from bench.measure import Result, Row, Scale, run, say
from bench.peers import MOCKPACS
from bench.servers import end_tidily_on_sigterm

ROWS: tuple[Row, ...] = (
    *rows_store.ROWS,
    *rows_network.ROWS,
    *rows_find.ROWS,
    *rows_retrieve.ROWS,
    *rows_big.ROWS,
    *rows_recording.ROWS,
    *rows_scenario.ROWS,
    *rows_start.ROWS,
)
RESULTS = Path(__file__).parent / "results.md"


def main() -> int:
    options = _options()
    chosen = [row for row in ROWS if not options.only or row.name in options.only]
    scale = Scale(0.1 if options.quick else 1.0)
    runs = options.runs or (1 if options.quick else None)
    end_tidily_on_sigterm()
    say(f"rows: {len(chosen)}, about {_expected_minutes(chosen, scale, runs)} minutes")
    began = time.perf_counter()
    results = [run(row, scale, runs) for row in chosen]
    seconds = time.perf_counter() - began
    if options.quick:
        print("quick: a tenth of the work that the rows name, one run; no basis for a comparison\n")
    print(report.table(results))
    for line in report.missed(results):
        print(f"missed: {line}")
    if not (options.quick or options.only or options.runs):
        RESULTS.write_text(report.document(results, seconds))
        say(f"written: {RESULTS}")
    return _exit_status(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one run: does it still run?")
    names = [row.name for row in ROWS]
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=names, help=f"these rows: {', '.join(names)}")
    parser.add_argument("--runs", type=int, metavar="N", help="at most so many runs of each row")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    options = parser.parse_args()
    if options.list:
        for row in ROWS:
            print(f"{row.name:18} {row.metrics[0].title}")
        raise SystemExit(0)
    return options


def _expected_minutes(rows: list[Row], scale: Scale, runs: int | None) -> str:
    seconds = sum(row.expected_seconds * scale.fraction * (runs / row.runs if runs else 1) for row in rows)
    return f"{max(seconds, 30) / 60:.1f}"


def _exit_status(results: list[Result]) -> int:
    """1 when mockpacs failed, or a peer is missing that MOCKPACS_REQUIRE_TOOLS says must be there."""
    failed = any(MOCKPACS.name in result.failed for result in results)
    absent = {reason for result in results for reason in result.absent.values() if reason.startswith("not installed")}
    if absent and os.environ.get("MOCKPACS_REQUIRE_TOOLS") == "1":
        say(f"MOCKPACS_REQUIRE_TOOLS=1 and {'; '.join(sorted(absent))}")
        failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
