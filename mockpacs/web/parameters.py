"""Parameters that several endpoints take, as they are documented."""

from __future__ import annotations

from typing import Final

from mockpacs.web.route import Parameter, Schema

YES_NO: Final[Schema] = {"enum": ["yes", "no"]}
"""Of a parameter that is no unless said."""
FILTER: Final = Parameter("filter", "Which ones, in the filter language: `service:C-STORE status:failure`.")
ID: Final = Parameter("id", "Association and exchange: `2.1`.", place="path")
COUNT: Final = Parameter("count", "How many have to be there: `2` or `2..`; 1 unless said.", {"type": "string"})


def whole(low: int, high: int | None = None) -> Schema:
    """Whole numbers."""
    return {"type": "integer", "minimum": low, **({} if high is None else {"maximum": high})}
