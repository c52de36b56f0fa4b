"""The table of all options as Markdown, for the manual; run as a program it renews the one in a file."""

from __future__ import annotations

import sys
from pathlib import Path

from mockpacs.config.options import Option, schema

BEGIN = "<!-- options: begin, written by `make docs` -->"
END = "<!-- options: end -->"


def table() -> str:
    """One table per group of options."""
    lines: list[str] = []
    group = ""
    for option in schema().values():
        if option.group != group:
            group = option.group
            lines += ["", f"### {group}", "", "| key | default | meaning | allowed |", "|---|---|---|---|"]
        lines.append(_row(option))
    return "\n".join(lines).strip()


def _row(option: Option) -> str:
    default = option.kind.write(option.default)
    cells = (f"`{option.name}`", f"`{default}`" if default else "", option.about, option.kind.allowed)
    escaped = (cell.replace("|", "/").replace("*", r"\*") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def renew(path: Path) -> None:
    """Write the table into a document, between its two marks."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    renew(Path(sys.argv[1]))
