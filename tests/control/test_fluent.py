"""Rules said in Python are the rules that YAML says, and nonsense is told with the sentences of YAML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydicom.dataset import Dataset

from mockpacs.control.fluent import When, conditions, split
from mockpacs.errors import ScenarioError
from mockpacs.scenario.loose import parse_rules, rules_of
from mockpacs.scenario.record_plain import plain
from mockpacs.scenario.rule import Rule
from mockpacs.scenario.script import Script
from mockpacs.scenario.wording import as_written
from mockpacs.written.yaml_text import yaml_text
from tests.scenario import ruled

PLACE = "test_sender.py:12"


class Book:
    """Reads rules as those of a server do, and keeps them."""

    def __init__(self, known: Script | None = None) -> None:
        self.known = known
        self.read: list[Rule] = []

    def add(self, *rules: Mapping[str, Any], place: str) -> list[Any]:
        added = [one.rule for rule in rules for one in rules_of(rule, place=place, known=self.known, calls=["f"]).rules]
        self.read += added
        return added


def when(what: Any, **given: Any) -> When:
    return When(Book(), PLACE, conditions(what, given))


def said(rule: Any) -> str:
    return yaml_text(as_written(rule)).strip()


class Anything(Book):
    """Reads rules by the model alone: what they name is elsewhere."""

    def add(self, *rules: Mapping[str, Any], place: str) -> list[Any]:
        assert place == PLACE
        return [Rule.model_validate(rule) for rule in rules]


@pytest.mark.parametrize("written", ruled.written_rules().values(), ids=ruled.written_rules())
def test_everything_that_yaml_says_can_be_said(written: Mapping[str, Any]) -> None:
    rule = plain(written)
    when = When(Anything(), PLACE, conditions(None, rule.pop("when")))
    then = rule.pop("then", None)
    sequence = rule.pop("sequence", None)
    more = {key.replace("continue", "continue_"): value for key, value in rule.items()}
    if sequence is not None:
        made: Any = when.sequence(*sequence, **more)
    else:
        steps = then if isinstance(then, list) else [then] if then is not None else []
        made = when.then(*steps, **more)
    assert made == Rule.model_validate(written)


@pytest.mark.parametrize("written", ruled.written_rules().values(), ids=ruled.written_rules())
def test_one_step_can_be_said_with_keywords(written: Mapping[str, Any]) -> None:
    rule = as_written(Rule.model_validate(written))
    given, then = rule.pop("when"), rule.pop("then", None)
    step = {then: True} if isinstance(then, str) and then != "half-close" else then
    if not isinstance(step, dict) or not step:
        return
    what = given.pop("service", None) or given.pop("event")
    keywords = {key.replace("-", "_").replace("continue", "continue_"): one for key, one in {**step, **rule}.items()}
    made: Any = When(Anything(), PLACE, conditions(what, given)).reply(**keywords)
    assert made == Rule.model_validate(written)


WHICH = "at: sub-operation, destination: 'WS*'"

SAID: list[tuple[Callable[[When], Any], str]] = [
    (lambda w: w.reply("out-of-resources", times=2), "times: 2, then: { status: out-of-resources }"),
    (lambda w: w.reply(0xA700, "C000", comment="full"), "then: { status: [A700, C000], comment: full }"),
    (lambda w: w.reply(comment="x", delay="2s", chance=0.2), "chance: 20%, then: { delay: 2s, comment: x }"),
    (lambda w: w.reply("success", store=False, name="lost"), "then: { status: success, store: false }"),
    (lambda w: w.reply(call="f", nth="2.."), "nth: 2.., then: { call: f }"),
    (lambda w: w.then("abort"), "then: abort"),
    (lambda w: w.then({"delay": "2s"}, "half-close"), "then: [{ delay: 2s }, half-close]"),
    (lambda w: w.then("nothing", continue_=True, per="PatientID"), "per: PatientID, then: nothing, continue: true"),
    (lambda w: w.then(limit="20/minute", over="nothing"), "limit: 20/minute, over: nothing"),
    (lambda w: w.then("nothing", later=[{"delay": 1}, "abort"]), "then: nothing, later: [{ delay: 1s }, abort]"),
    (
        lambda w: w.sequence({"status": "A700"}, "nothing", at_end="loop"),
        "sequence: [{ status: A700 }, nothing], at_end: loop",
    ),
    (lambda w: w.sequence([{"delay": 1}, "abort"]), "sequence: [[{ delay: 1s }, abort]]"),
    (lambda w: w.nothing(delay="1s"), "then: { delay: 1s, nothing: true }"),
    (lambda w: w.lie(message_id=4242, times=1), "times: 1, then: { lie: { message_id: 4242 } }"),
    (lambda w: w.delay("2s", status="A700"), "then: { delay: 2s, status: A700 }"),
    (lambda w: w.delay(median="80ms", max=3), "then: { delay: { median: 80ms, max: 3s } }"),
    (lambda w: w.drip(), "then: drip"),
    (lambda w: w.drip(bytes=3, every=1), "then: { drip: { bytes: 3, every: 1s } }"),
    (lambda w: w.abort(), "then: abort"),
    (lambda w: w.abort("provider"), "then: { abort: provider }"),
    (lambda w: w.abort(reason="unexpected-pdu", delay=1), "then: { delay: 1s, abort: { reason: unexpected-pdu } }"),
    (lambda w: w.close(), "then: close"),
    (lambda w: w.close("half"), "then: half-close"),
    (lambda w: w.reset(times=1), "times: 1, then: reset"),
    (lambda w: w.silence(), "then: silence"),
    (lambda w: w.stop_reading(), "then: stop-reading"),
    (lambda w: w.refuse("2s"), "then: { refuse: 2s }"),
    (lambda w: w.then(send="99 00", times=1), "times: 1, then: { send: 99 00 }"),
    (lambda w: w.then(status="A700", delay=1), "then: { delay: 1s, status: A700 }"),
    (lambda w: w.send(b"\x99", delay=1), "then: { delay: 1s, send: 99 }"),
    (lambda w: w.truncate(6), "then: { truncate: 6 }"),
    (lambda w: w.corrupt(bytes=3, times=1), "times: 1, then: { corrupt: { bytes: 3 } }"),
    (lambda w: w.bandwidth("64kB/s"), "then: { bandwidth: 64kB/s }"),
    (lambda w: w.wait("end", max="10s"), "then: { wait: { until: end, max: 10s } }"),
]


MOVED: list[tuple[dict[str, Any], Callable[[When], Any], str]] = [
    ({"at": {"sub-operation": 3}}, lambda w: w.destination("reset"), "at: { sub-operation: 3 }"),
    ({"at": {"sub_operation": 3}}, lambda w: w.then(destination="reset"), "at: { sub-operation: 3 }"),
    ({"at": "sub-operation", "destination": "WS*"}, lambda w: w.reply(destination="reset"), WHICH),
    ({"at": "sub-operation", "destination": "WS*"}, lambda w: w.then({"destination": "reset"}), WHICH),
]


@pytest.mark.parametrize(("given", "say", "when_written"), MOVED)
def test_the_association_to_a_destination_and_which_destination_it_is(
    given: dict[str, Any], say: Callable[[When], Any], when_written: str
) -> None:
    rule = say(when("C-MOVE", **given))
    wanted = f"{{ when: {{ service: C-MOVE, {when_written} }}, then: {{ destination: reset }} }}"
    assert rule == parse_rules(wanted, "w").rules[0].rule


def test_verbs_of_responses_and_connections() -> None:
    assert said(when("C-FIND").pending(take=1, set={"PatientName": "X"}, times=2)) == (
        "when: { service: C-FIND }\ntimes: 2\nthen: { pending: { take: 1, set: { PatientName: X } } }"
    )
    assert said(when("C-FIND").pending(times=2)) == "{ when: { service: C-FIND }, times: 2, then: pending }"
    assert said(when("C-FIND").wait()) == "{ when: { service: C-FIND }, then: wait }"
    assert said(when("connect").tls("stall")) == "{ when: { event: connect }, then: { tls: stall } }"
    with pytest.raises(ScenarioError, match='unknown set of answers "clinic"'):
        when("C-FIND").pending(from_="clinic")


@pytest.mark.parametrize(("say", "then"), SAID, ids=[then for _, then in SAID])
def test_the_verbs(say: Callable[[When], Any], then: str) -> None:
    rule = say(when("C-STORE"))
    text = f"{{ when: {{ service: C-STORE }}, {then} }}"
    wanted = parse_rules(text, "w", calls=["f"]).rules[0].rule
    assert rule.model_copy(update={"name": ""}) == wanted


def test_verbs_of_associations() -> None:
    assert said(when("associate").reject("transient", reason="temporary-congestion", times=2)) == (
        "when: { event: associate }\ntimes: 2\nthen: { reject: { result: transient, reason: temporary-congestion } }"
    )
    assert said(when("associate").reject()) == "{ when: { event: associate }, then: reject }"
    assert said(when("associate").accept(max_pdu=4096, calling="X")) == (
        "{ when: { event: associate }, then: { accept: { max_pdu: 4096, calling: X } } }"
    )
    assert said(when("connect").refuse()) == "{ when: { event: connect }, then: refuse }"


def test_answers_are_names_mappings_and_data_sets_and_are_copied() -> None:
    one = Dataset()
    one.PatientID = "P1"
    answers = [one, {"PatientID": "P2", "Rows": 5}]
    rule = when("C-FIND", query={"PatientName": "DOE*"}).answer(answers, delay="1s", times=1)
    one.PatientID = "changed"
    assert said(rule) == (
        "when: { service: C-FIND, query: { PatientName: DOE* } }\ntimes: 1\n"
        "then:\n  delay: 1s\n  answer:\n    - { PatientID: P1 }\n    - { PatientID: P2, Rows: 5 }"
    )
    assert as_written(when("C-FIND").answer({"PatientID": "P"}))["then"] == {"answer": {"PatientID": "P"}}
    assert as_written(when("C-FIND").answer(iter(())))["then"] == {"answer": []}
    with pytest.raises(ScenarioError, match='unknown set of answers "study"'):
        when("C-FIND").answer("study")


@pytest.mark.parametrize(
    ("what", "given", "found"),
    [
        ("C-FIND", {"level": "STUDY"}, {"service": "C-FIND", "level": "STUDY"}),
        (("C-FIND", "C-GET"), {}, {"service": ["C-FIND", "C-GET"]}),
        ("associate", {"calling": "A"}, {"event": "associate", "calling": "A"}),
        (["abort", "close"], {}, {"event": ["abort", "close"]}),
        ("asociate", {}, {"event": "asociate"}),
        ("C-STRE", {}, {"service": "C-STRE"}),
        (None, {"service": "any", "at": "response"}, {"service": "any", "at": "response"}),
        ("any", {"calling_": "A"}, {"service": "any", "calling": "A"}),
    ],
)
def test_conditions(what: Any, given: dict[str, Any], found: dict[str, Any]) -> None:
    assert conditions(what, given) == found


def test_conditions_and_keys_of_a_rule_are_told_apart() -> None:
    given = {"calling": "A", "times": 1, "continue_": True, "tmes": 1, "callng": 1, "zzz": 1}
    assert split(given) == (
        {"calling": "A", "callng": 1, "zzz": 1},
        {"times": 1, "continue": True, "tmes": 1},
    )


NONSENSE: list[tuple[Callable[[], Any], str]] = [
    (lambda: when("C-STORE", callng="A").abort(), 'unknown condition "callng". Did you mean "calling"?'),
    (
        lambda: when("C-STORE", times=2).abort(),
        "times is a key of a rule: say it where the rule ends, as reply(..., times=2).",
    ),
    (
        lambda: when("C-STRE").abort(),
        '"C-STRE" is not one of any, C-ECHO, C-STORE, C-FIND, C-GET, C-MOVE, '
        'N-EVENT-REPORT, N-GET, N-SET, N-ACTION, N-CREATE, N-DELETE. Did you mean "C-STORE"?',
    ),
    (
        lambda: when("asociate").abort(),
        '"asociate" is not one of connect, associate, release, abort, cancel, close. Did you mean "associate"?',
    ),
    (lambda: when("C-STORE").reply("success", comentary="x"), 'unknown step "comentary". Did you mean "comment"?'),
    (lambda: when("C-STORE").reply("success", tmes=2), 'unknown key "tmes" of a rule. Did you mean "times"?'),
    (
        lambda: when("C-MOVE", at="sub-operation", nth=3).reply("A700"),
        "nth is a key of a rule: say it where the rule ends, as reply(..., nth=3).",
    ),
    (
        lambda: when("C-STORE", delay="1s").reply("A700"),
        'delay is a step: say it where the rule ends, as reply(..., delay="1s").',
    ),
    (
        lambda: when("C-STORE").reply("success", calling="A"),
        'calling is a condition: say when(..., calling="A").',
    ),
    (
        lambda: when("C-STORE").abort(query={"PatientName": "DOE*", "StudyDate": "20240101"}),
        "query is a condition: say when(..., query=...).",
    ),
    (
        lambda: when("C-MOVE").destination("WORKSTATION"),
        '"WORKSTATION" is not one of refuse, abort, reset; which destination it is, is a condition: '
        "write destination under when.",
    ),
    (
        lambda: when("C-MOVE", at="sub-operation").reply(call="f"),
        "a function cannot answer at moment sub-operation; it can at moment request.",
    ),
    (lambda: when("C-STORE").then("abrt"), 'unknown step "abrt". Did you mean "abort"?'),
    (
        lambda: when("C-STORE").then("abort", delay=1),
        'delay is a step: write then("abort", {"delay": 1}).',
    ),
    (lambda: when("C-STORE").then(), "a rule needs then, a sequence, over, set or later."),
    (lambda: when("C-STORE").sequence(), "a sequence needs at least one answer."),
    (lambda: when("C-STORE").reply(), 'reply says nothing: give it a status, such as "out-of-resources".'),
    (lambda: when("C-STORE").reply("success", comment=None), "comment says nothing: give it a value, or leave it out."),
    (lambda: when("C-STORE").abort(reson=1), 'unknown key "reson" of abort. Did you mean "reason"?'),
    (lambda: when("C-STORE").abort("nobody"), '"nobody" is not one of user, provider, nor a number up to 255.'),
    (lambda: when("C-STORE").delay(), "a delay is a time (2s), or has a median, or is between two times."),
    (
        lambda: when("C-FIND", query={"PatientNme": "x"}).abort(),
        'unknown attribute "PatientNme". Did you mean "PatientName"?',
    ),
    (lambda: when("C-ECHO").reject(), "reject is not possible at moment request; it is at event associate."),
]


@pytest.mark.parametrize(("say", "sentence"), NONSENSE, ids=[sentence for _, sentence in NONSENSE])
def test_nonsense_is_told_with_the_place_in_python(say: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        say()
    assert str(caught.value) == f"{PLACE}: {sentence}"


def test_a_status_that_nobody_knows_is_told_as_in_a_file() -> None:
    with pytest.raises(ScenarioError) as caught:
        when("C-STORE").reply("out-of-resource")
    told = '"out-of-resource" is not a status of C-STORE. Did you mean "out-of-resources"?'
    assert str(caught.value) == f"{PLACE}: {told}"


def test_more_than_one_value_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^abort takes one value, 2 were given$"):
        when("C-STORE").abort("user", "provider")


def test_a_when_is_unfinished_until_something_is_said() -> None:
    unfinished: list[When] = []
    first, second = (
        When(Book(), place, conditions("C-STORE", {"calling": "A"}), unfinished) for place in ("t.py:1", "t.py:2")
    )
    assert unfinished == [first, second]
    assert repr(first) == "<when service: C-STORE, calling: A at t.py:1>"
    first.abort()
    assert unfinished == [second]
    with pytest.raises(ScenarioError):
        second.reply("nonsense")
    assert unfinished == []
    assert second.nothing() is not None


@pytest.mark.parametrize(
    "say",
    [
        lambda: When(Book(), PLACE, conditions("C-STORE", {"nth": 3}), UNFINISHED).abort(),
        lambda: When(Book(), PLACE, conditions("C-STORE", {}), UNFINISHED).abort(calling="A"),
        lambda: When(Book(), PLACE, conditions("C-STORE", {}), UNFINISHED).then("abort", delay=1),
    ],
)
def test_what_is_told_to_be_written_elsewhere_is_not_unfinished(say: Callable[[], Any]) -> None:
    with pytest.raises(ScenarioError):
        say()
    assert UNFINISHED == []


UNFINISHED: list[When] = []


def test_an_element_of_the_command_is_no_attribute() -> None:
    with pytest.raises(ScenarioError, match=r"^MoveDestination is an element of the command.* write destination under"):
        conditions("C-MOVE", {"MoveDestination": "WS"})


def test_the_name_of_a_rule_may_be_among_its_conditions() -> None:
    found = When(Book(), PLACE, {"name": "mine", "service": "C-STORE"}).abort()
    assert said(found) == "{ name: mine, when: { service: C-STORE }, then: abort }"
