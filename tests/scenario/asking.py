"""An engine made from rules in YAML, and the stimuli it is asked about."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from mockpacs.scenario.decision import Decision
from mockpacs.scenario.engine import Engine
from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.load import parse_text
from mockpacs.scenario.stimulus import Facts, Stimulus
from mockpacs.wire.dataset import EXPLICIT_LITTLE, Encoding, encode_element, encode_sequence
from mockpacs.wire.dictionary import tag_of, vr_of

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
WORKLIST = "1.2.840.10008.5.1.4.31"

Value = str | bytes | list["Values"]
Values = dict[str, Value]


def engine(text: str, *, clock: Callable[[], float] = lambda: 1.0) -> Engine:
    """An engine for a list of rules, or for a whole scenario."""
    text = textwrap.dedent(text).strip("\n")
    if text.startswith("-"):
        text = f"rules:\n{textwrap.indent(text, '  ')}"
    return Engine(parse_text(f"mockpacs: 1\n{text}", "test.yaml"), clock=clock)


def data(values: Values, encoding: Encoding = EXPLICIT_LITTLE) -> bytes:
    """A data set: text by keyword, bytes as they are, a list of items for a sequence."""
    tags = {tag_of(keyword) or int(keyword, 16): value for keyword, value in values.items()}
    return b"".join(_element(tag, tags[tag], encoding) for tag in sorted(tags))


def _element(tag: int, value: Value, encoding: Encoding) -> bytes:
    if isinstance(value, list):
        return encode_sequence(tag, [data(item, encoding) for item in value], encoding)
    return encode_element(tag, vr_of(tag), value.encode() if isinstance(value, str) else value, encoding)


def facts(values: Values) -> Facts:
    return DataFacts(data(values), EXPLICIT_LITTLE)


def stimulus(kind: str, values: Values | None = None, **fields: object) -> Stimulus:
    """A stimulus with such a data set."""
    known = None if values is None else facts(values)
    return Stimulus(kind, dataset=None if known is None else lambda: known, **fields)  # type: ignore[arg-type]


def echo(**fields: object) -> Stimulus:
    return stimulus("C-ECHO", **{"calling": "CT1", "sop_classes": (VERIFICATION,), **fields})  # type: ignore[arg-type]


def store(instance: str = "1.2.3", values: Values | None = None, **fields: object) -> Stimulus:
    fields = {"calling": "CT1", "sop_classes": (CT,), "sop_instance": instance, **fields}
    return stimulus("C-STORE", values, **fields)


def find(values: Values | None = None, **fields: object) -> Stimulus:
    return stimulus("C-FIND", values or {}, **{"calling": "WS1", "sop_classes": (STUDY_ROOT_FIND,), **fields})


def statuses(asked: Engine, stimuli: Sequence[Stimulus]) -> list[str]:
    """What each of some stimuli is answered, see `status`."""
    return [status(asked.decide(one)) for one in stimuli]


def status(decision: Decision | None) -> str:
    """The status of the first act, the name of the rule without one, "-" when none fired."""
    if decision is None:
        return "-"
    code = decision.acts[0].status if decision.acts else None
    return decision.rule if code is None else f"{code:04X}"


def fired(asked: Engine, stimuli: Sequence[Stimulus]) -> list[str]:
    """The names of the rules that each of some stimuli fires."""
    return [decision.rule if (decision := asked.decide(one)) else "-" for one in stimuli]
