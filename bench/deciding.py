"""`python -m bench.deciding DECISIONS`: ask an engine with twenty rules, as JSON: microseconds for a decision."""

import json
import sys
import time
from collections.abc import Iterator

from mockpacs.scenario.engine import Engine
from mockpacs.scenario.facts import DataFacts
from mockpacs.scenario.load import parse_text
from mockpacs.scenario.stimulus import Stimulus
from mockpacs.wire.dataset import EXPLICIT_LITTLE, encode_element

# Four of each kind, three conditions each: exact texts, globs, exclusions, names of SOP classes, attributes, states;
# counted, drawn, continued.
RULE_KINDS = """
  - when: {{ service: C-STORE, calling: "CT{n}*", sop_class: CT Image Storage, dataset: {{ Modality: MR }} }}
    then: {{ status: out-of-resources }}
  - when: {{ service: C-FIND, calling: [WS{n}, WS1{n}], level: STUDY, query: {{ PatientID: "P{n}*" }} }}
    then: {{ delay: 1s }}
  - when: {{ service: C-STORE, calling: {{ not: X{n} }}, called: PACS, peer: "10.0.*" }}
    nth: 100{n}..
    chance: 5%
    then: {{ status: [out-of-resources, cannot-understand] }}
  - when: {{ service: any, calling: MR{n}, called: PACS, state: {{ mood: bad }} }}
    then: {{ delay: {{ between: [1ms, 2ms] }} }}
    continue: true
  - when: {{ event: associate, calling: "A{n}*", called: PACS, peer: "192.168.*" }}
    times: 3
    then: {{ reject: transient }}
"""
RULES = "".join(RULE_KINDS.format(n=number) for number in range(4))
SCENARIO = f"mockpacs: 1\nstate: {{ mood: bad }}\nrules:\n{RULES}"
CT, MR, STUDY_ROOT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.2.2.1"


def data_set(elements: int) -> bytes:
    """A head with so many elements beside the three that rules look at."""
    values = {0x00080052: ("CS", b"STUDY"), 0x00080060: ("CS", b"CT"), 0x00100020: ("LO", b"P7")}
    values |= {0x00180000 + 16 * number: ("SH", b"something") for number in range(1, elements + 1)}
    return b"".join(encode_element(tag, vr, value, EXPLICIT_LITTLE) for tag, (vr, value) in sorted(values.items()))


def stimuli(count: int, tags: frozenset[int]) -> Iterator[Stimulus]:
    """Stores of two modalities, queries, echoes and associations in turns; the data sets of two are looked at."""
    image, identifier = data_set(100), data_set(12)
    for number in range(count):
        common = {"association": number % 50, "exchange": number, "called": "PACS", "peer": "10.0.0.1", "when": 1.0}
        uid = f"1.2.{number}"
        match number % 5:
            case 0:
                facts = lambda: DataFacts(image, EXPLICIT_LITTLE, tags)  # noqa: E731
                yield Stimulus("C-STORE", calling="CT2", sop_classes=(CT,), sop_instance=uid, dataset=facts, **common)
            case 1:
                facts = lambda: DataFacts(identifier, EXPLICIT_LITTLE, tags)  # noqa: E731
                yield Stimulus("C-FIND", calling="WS3", sop_classes=(STUDY_ROOT,), dataset=facts, **common)
            case 2:
                yield Stimulus("C-ECHO", calling="MR1", **common)
            case 3:
                yield Stimulus("associate", calling="CT2", sop_classes=(CT, MR), **common)
            case _:
                yield Stimulus("C-STORE", calling="OTHER", sop_classes=(MR,), sop_instance=uid, **common)


if __name__ == "__main__":
    engine = Engine(parse_text(SCENARIO))
    asked = list(stimuli(int(sys.argv[1]), engine.cast.tags))
    began = time.perf_counter()
    for stimulus in asked:
        engine.decide(stimulus)
    seconds = time.perf_counter() - began
    print(json.dumps({"decision": 1e6 * seconds / len(asked)}))
