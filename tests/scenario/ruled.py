"""Rules for tests: those that are shipped, those of the documents, and any that can be said, made by hypothesis."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from mockpacs.scenario.condition import LEVELS, PRESENCE, Moment
from mockpacs.scenario.ending import ABORT_REASONS, REASONS, RESULTS, SOURCES
from mockpacs.scenario.lie import ELEMENTS
from mockpacs.scenario.load import TAGS
from mockpacs.scenario.shipped import shipped
from mockpacs.scenario.step import DESTINATION_ENDS
from mockpacs.scenario.step import RESULTS as CONTEXT_RESULTS
from mockpacs.scenario.values import EVENTS, PER_WORDS, SERVICES, status_names
from mockpacs.written.yaml_file import Mapping, parse

DOCS = Path(__file__).parents[2] / "docs"
_FENCE = re.compile(r"^```yaml (rule|scenario)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@cache
def texts() -> dict[str, str]:
    """All scenarios, shipped ones and those of the documents, by a name."""
    found = {name: path.read_text(encoding="utf-8") for name, path in shipped().items()}
    for path in sorted(DOCS.glob("*.md")):
        for number, (kind, text) in enumerate(_FENCE.findall(path.read_text(encoding="utf-8")), 1):
            found[f"{path.name} {number}"] = text if kind == "scenario" else f"mockpacs: 1\nrules:\n{text}"
    return found


def written_rules() -> dict[str, Mapping]:
    """Every rule of them as it was written."""
    found = {}
    for name, text in texts().items():
        whole = parse(text, name, TAGS)
        assert isinstance(whole, Mapping)
        found.update({f"{name}, rule {number}": rule for number, rule in enumerate(whole.get("rules", ()), 1)})
    return found


# what can be said

_text = st.one_of(
    st.sampled_from(["CT*", "no", "0110", "1e3", "~", "", "true", "present", "*", "a, b", "x: y", "2024-01-01", " "]),
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12),
)
_tag = st.sampled_from(["PatientID", "StudyDate", "(0009,0010)", "(6002,3000)", "(00100010)"])
_flag = st.booleans()
_byte = st.integers(0, 255)
_word = st.integers(0, 0xFFFF)
_count = st.integers(0, 2**31 - 1)
_positive = st.integers(1, 2**31 - 1)
_duration = st.one_of(
    st.sampled_from(["200ms", "2s", "1.5s", "5min", "2h", "90s", 0, 0.25, "0.1ms"]),
    st.floats(1e-6, 7 * 24 * 3600.0, allow_nan=False),
)
_size = st.one_of(st.sampled_from(["256kB", "1MiB", "1.5MB", 0, 1000, 1024]), st.integers(0, 2**50))
_status = st.one_of(st.sampled_from(status_names()), _word, _word.map(lambda number: f"0x{number:04x}"))
_regex = st.sampled_from(["CT[0-9]+", "(?i)mr", "(?s)a.b", "", "1"])


def _one_or_more(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return one | st.lists(one, min_size=0, max_size=3)


def _part(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = {key.rstrip("_").replace("stop_reading", "stop-reading"): value for key, value in optional.items()}
    return st.fixed_dictionaries({}, optional=keys)


_words = st.recursive(
    _one_or_more(_text), lambda inner: _part(in_=_one_or_more(_text), not_=inner, matches=_regex), max_leaves=3
)
_attribute = st.recursive(
    st.one_of(_one_or_more(_text), st.sampled_from(PRESENCE)),
    lambda inner: st.one_of(
        _part(
            **{"in": _one_or_more(_text), "not": inner, "matches": _regex, "gt": _text, "lt": _text},
            between=st.lists(_text, min_size=2, max_size=2),
            size=_count,
            presence=st.sampled_from(PRESENCE),
            item=st.dictionaries(_tag, inner, max_size=2),
        ),
        st.dictionaries(_tag, inner, min_size=1, max_size=2),
    ),
    max_leaves=4,
)
_attributes = st.dictionaries(_tag, _attribute, max_size=2)
_at = st.one_of(
    st.sampled_from([str(one) for one in Moment if one not in (Moment.RECEIVED, Moment.PDU)]),
    _size.map(lambda count: {"received": count}),
    _positive.map(lambda count: {"pdu": count}),
    (_positive | st.just("last")).map(lambda place: {"sub-operation": place}),
)
_conditions = {
    "calling": _words,
    "called": _words,
    "peer": _words,
    "destination": _words,
    "sop_class": _words,
    "transfer_syntax": _words,
    "model": _words,
    "level": _one_or_more(st.sampled_from([*LEVELS, "study"])),
    "query": _attributes,
    "dataset": _attributes,
    "status": _one_or_more(_status),
    "state": st.dictionaries(_text.filter(bool), _words, max_size=2),
}
_when = st.one_of(
    st.fixed_dictionaries(
        {"service": _one_or_more(st.sampled_from(["any", *SERVICES])).filter(bool)}, optional={"at": _at, **_conditions}
    ),
    st.fixed_dictionaries({"event": _one_or_more(st.sampled_from(EVENTS)).filter(bool)}, optional=_conditions),
)
_value = st.recursive(
    st.one_of(_text, st.binary(max_size=4), st.none(), st.integers(), st.lists(_text, max_size=3)),
    lambda inner: st.dictionaries(_tag, inner, max_size=2),
    max_leaves=3,
)
_delay = st.one_of(
    _duration,
    st.builds(
        lambda median, more: {"median": median, **more}, _duration, _part(spread=st.floats(0, 10), max=_duration)
    ),
    st.lists(st.floats(0.001, 1000), min_size=2, max_size=2).map(lambda times: {"between": sorted(times)}),
)
_pending = st.one_of(
    st.just(True),
    _part(
        **{"from": _text},
        skip=_count,
        take=_count,
        set=st.dictionaries(_tag, _value, max_size=2),
        remove=_one_or_more(_tag),
        status=_status,
        remaining=_word,
        every=_duration,
        forever=_flag,
        cut=_size,
    ),
)
_context = _part(
    sop_class=_one_or_more(_text),
    transfer_syntax=_one_or_more(_text),
    result=st.sampled_from(CONTEXT_RESULTS) | _byte,
    id=_byte,
    omit=_flag,
)
_accept = st.just(True) | _part(
    max_pdu=st.integers(0, 2**32 - 1), contexts=st.lists(_context, max_size=2), called=_text, calling=_text
)
_reason = st.sampled_from([name for names in REASONS.values() for name in names])
_reject = st.one_of(
    st.just(True),
    st.sampled_from(RESULTS),
    _part(result=st.sampled_from(RESULTS) | _byte, reason=_reason),
    _part(result=_byte, source=st.sampled_from(SOURCES) | _byte, reason=_byte),
)
_abort = st.just(True) | _part(
    source=st.sampled_from(["user", "provider"]) | _byte, reason=st.sampled_from(list(ABORT_REASONS)) | _byte
)
_lie = _part(
    **dict.fromkeys(["message_id", "remaining", "completed", "failed", "warning"], _word),
    **dict.fromkeys(["no_dataset", "last_fragment", "command_bit", "dataset_first"], _flag),
    **dict.fromkeys(["context_id", "pdu_type"], _byte),
    **dict.fromkeys(["pdv_size", "pdvs_per_pdu", "repeat"], _positive),
    **dict.fromkeys(["pdv_length", "pdu_length"], st.integers(0, 2**32 - 1)),
    **dict.fromkeys(["sop_class", "sop_instance"], _text),
    command_field=st.sampled_from(["C-ECHO-RSP", "8001"]) | _word,
    dataset_type=_word,
    remove=_one_or_more(st.sampled_from(list(ELEMENTS))),
    cut=_size,
)
_step = _part(
    delay=_delay,
    wait=st.sampled_from([True, "cancel", "end"]) | _part(until=st.just("end"), max=_duration),
    status=_one_or_more(_status),
    comment=_text,
    offending=_one_or_more(_tag),
    error_id=_word,
    pending=_pending,
    answer=_text | st.lists(st.dictionaries(_tag, _value, max_size=2), max_size=2),
    store=_flag,
    call=_text,
    nothing=_flag,
    accept=_accept,
    reject=_reject,
    abort=_abort,
    destination=st.sampled_from(DESTINATION_ENDS),
    close=st.sampled_from([True, "half", "whole"]),
    reset=_flag,
    silence=_flag,
    stop_reading=_flag,
    refuse=st.just(True) | _duration,
    tls=st.sampled_from(["stall", "plain"]) | _part(certificate=_text, key=_text),
    drip=st.just(True) | _part(bytes=_positive, every=_duration),
    bandwidth=st.sampled_from(["64kB/s", 1, "1.5MB/s"]) | st.integers(1, 2**40),
    send=st.binary(max_size=6),
    truncate=_size,
    corrupt=_positive.map(lambda count: {"bytes": count})
    | st.builds(lambda at, xor: {"offset": at, "xor": xor}, _count, _byte),
    lie=_lie,
)
_word_step = st.sampled_from(["abort", "half-close", "nothing", "stop-reading", "pending", "store", "reject"])
_steps = _word_step | _step | st.lists(_word_step | _step, max_size=3)
_nth = st.sampled_from([1, "3", "2..4", "5..", "every 10", "every 1", "1..", "2..2"])
_per = st.sampled_from([*PER_WORDS, "PatientID", "(0009,0010)", "(6002,3000)"])
_change = _text | _text.map(lambda text: {"all": text})
_common = {
    "name": _text,
    "per": _per,
    "nth": _nth,
    "times": _positive,
    "chance": st.floats(0, 1).filter(lambda share: share == 0 or share > 1e-9) | st.just("12.5%"),
    "set": st.dictionaries(_text, _change, max_size=2),
    "later": _steps,
    "continue": _flag,
}
rules = st.one_of(
    st.fixed_dictionaries({"when": _when, "then": _steps}, optional=_common),
    st.fixed_dictionaries(
        {"when": _when, "sequence": st.lists(_steps, min_size=1, max_size=3)},
        optional={**_common, "at_end": st.sampled_from(["last", "loop", "pass", "fail"])},
    ),
    st.fixed_dictionaries(
        {"when": _when, "limit": st.sampled_from(["20/minute", "5/s", "100/10s", "3/2h", "7/90s"]), "over": _steps},
        optional=_common,
    ),
)
"""Mappings that are mostly rules: what excludes one another may be in them."""
