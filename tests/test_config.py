"""Options from Python, a file, the environment and the command line: precedence, and errors that name their place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mockpacs.config import NamedUser, Options, Peer, TokenUser, load, schema
from mockpacs.config.reference import table
from mockpacs.errors import ConfigurationError

# (key, text, value) — what each key makes of a text, wherever the text came from.
READ: list[tuple[str, str, object]] = [
    ("host", "0.0.0.0", "0.0.0.0"),
    ("host", "[::1]", "::1"),
    ("port", "0", 0),
    ("aet", "  STORE 1 ", "STORE 1"),
    ("artim_timeout", "500ms", 0.5),
    ("artim_timeout", "2.5", 2.5),
    ("network_timeout", "0", 0.0),
    ("network_timeout", "1m", 60.0),
    ("stop_timeout", "0.001h", 3.6),
    ("max_associations", "1", 1),
    ("max_pdu", "0", 0),
    ("max_pdu", "16384", 16384),
    ("max_pdu", "128KiB", 131072),
    ("max_instance_size", "2 GiB", 2 * 2**30),
    ("max_instance_size", "1.5kB", 1500),
    ("storage", "data", Path("data")),
    ("memory", "yes", True),
    ("memory", "False", False),
    ("durability", "full", "full"),
    ("on_duplicate", "refuse", "refuse"),
    ("unknown_values", "match", "match"),
    ("transcode", "on", True),
    ("pending_interval", "0", 0.0),
    ("pending_interval", "250ms", 0.25),
    ("peer", "A=127.0.0.1:11113", (Peer("A", "127.0.0.1", 11113),)),
    ("verbose", "2", 2),
    ("http", "8112", 8112),
    ("http", "0", 0),
    ("http", " Auto ", "auto"),
    ("http", "off", "off"),
    ("http_host", "localhost", "localhost"),
    ("http_token", "opensesame", "opensesame"),
    ("called_aets", "MOCK*", ("MOCK*",)),
    ("preload", "a.dcm", (Path("a.dcm"),)),
    ("users", "alice", (NamedUser("alice"),)),
    ("users", "alice:p:w", (NamedUser("alice", "p:w"),)),
    ("users", "jwt=e30.e30.", (TokenUser("jwt", b"e30.e30."),)),
    ("users", "kerberos=base64:YII=", (TokenUser("kerberos", b"`\x82"),)),
]

# (key, text, part of the sentence)
REFUSED: list[tuple[str, str, str]] = [
    ("host", "not a host", "is not an address"),
    ("port", "banana", '"banana" is not a whole number from 0 to 65535'),
    ("port", "65536", "from 0 to 65535"),
    ("port", "-1", "from 0 to 65535"),
    ("aet", "SEVENTEENLETTERS!", "1 to 16 printable"),
    ("aet", "A\\B", "no backslash"),
    ("aet", "TITLÉ", "printable ASCII"),
    ("artim_timeout", "0", "above 0"),
    ("artim_timeout", "soon", "seconds, or a number with ms, s, m or h"),
    ("network_timeout", "-1", "of 0 or more"),
    ("network_timeout", "8d", "is not a duration"),
    ("max_associations", "0", "from 1"),
    ("max_pdu", "4095", "from 4096"),
    ("max_instance_size", "2 apples", "kB, MB, GB"),
    ("memory", "perhaps", "true or false"),
    ("http", "65536", "is not a port from 0 to 65535, auto or off"),
    ("http", "-1", "is not a port from 0 to 65535, auto or off"),
    ("http", "of", 'did you mean "off"?'),
    ("http_token", "short", "it is not 8 to 1024 visible ASCII characters"),
    ("http_token", "with a space", "it is not 8 to 1024 visible ASCII characters"),
    ("on_duplicate", "kep", 'one of keep, replace, refuse; did you mean "keep"?'),
    ("person_name_case", "INSENSITIVE", 'did you mean "insensitive"?'),
    ("called_aets", "A\x1b[2J", r"A\x1b[2J"),
    ("pending_interval", "-1", "of 0 or more"),
    ("peer", "A", '"A" is not a peer: write AET=HOST:PORT'),
    ("users", ":secret", "a user needs a name"),
    ("users", "jwt=", "must not be empty"),
    ("users", "saml=base64:%", "not valid base64"),
]


@pytest.mark.parametrize(("key", "text", "value"), READ)
def test_a_text_means_the_same_in_the_environment_on_the_command_line_and_in_python(
    key: str, text: str, value: object
) -> None:
    option = schema()[key]
    assert getattr(load(None, {option.variable: text}, {}), key) == value
    assert getattr(load(None, {}, {key: text}), key) == value
    assert getattr(Options(**{key: text}), key) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(("key", "text", "sentence"), REFUSED)
def test_a_bad_value_is_refused_with_its_place_and_what_is_allowed(key: str, text: str, sentence: str) -> None:
    option = schema()[key]
    with pytest.raises(ConfigurationError) as from_environment:
        load(None, {option.variable: text}, {})
    assert str(from_environment.value).startswith(f"environment variable {option.variable}: ")
    assert sentence in str(from_environment.value)
    with pytest.raises(ConfigurationError) as from_command_line:
        load(None, {}, {key: text})
    assert str(from_command_line.value).startswith(f"{option.flag}: ")
    with pytest.raises(ConfigurationError) as from_python:
        Options(**{key: text})  # type: ignore[arg-type]
    assert str(from_python.value).startswith(f"{key}: ")
    assert "\x1b" not in str(from_python.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", True),
        ("port", 1.5),
        ("memory", 1),
        ("artim_timeout", float("nan")),
        ("artim_timeout", float("inf")),
        ("max_pdu", 1e6),
        ("aet", None),
        ("users", [{"name": 1}]),
        ("preload", [None]),
    ],
)
def test_python_values_of_the_wrong_type_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{key}: "):
        Options(**{key: value})


@pytest.mark.parametrize("key", list(schema()))
def test_every_default_is_its_own_canonical_form_and_can_be_written_and_read_again(key: str) -> None:
    option = schema()[key]
    assert option.kind.read(option.default) == option.default
    if option.default not in (None, ()):
        assert option.kind.read(option.kind.write(option.default)) == option.default


def test_options_are_frozen_and_changed_by_copy() -> None:
    options = Options(port=0, memory=True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.port = 1  # type: ignore[misc]
    assert options.but(aet="OTHER") == Options(port=0, memory=True, aet="OTHER")
    with pytest.raises(ConfigurationError, match=r'^prot: no such option; did you mean "port"'):
        options.but(prot=1)


def test_the_command_line_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "mockpacs.yaml"
    file.write_text("port: 1\naet: FILE\nmax_pdu: 8192\n")
    environ = {"MOCKPACS_PORT": "2", "MOCKPACS_AET": "ENV", "HOME": "/", "MOCKPACS_REQUIRE_TOOLS": "1"}
    options = load(file, environ, {"port": "3", "aet": None})
    assert (options.port, options.aet, options.max_pdu, options.host) == (3, "ENV", 8192, "127.0.0.1")


def test_the_environment_can_name_the_file_and_an_argument_wins_over_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("port: 1")
    (tmp_path / "b.yaml").write_text("port: 2")
    environ = {"MOCKPACS_CONFIG": str(tmp_path / "a.yaml")}
    assert load(None, environ, {}).port == 1
    assert load(tmp_path / "b.yaml", environ, {}).port == 2


def test_lists_in_the_environment_are_split_at_commas_or_written_as_yaml() -> None:
    assert load(None, {"MOCKPACS_CALLED_AETS": "A, B*,"}, {}).called_aets == ("A", "B*")
    assert load(None, {"MOCKPACS_CALLED_AETS": '["A,B"]'}, {}).called_aets == ("A,B",)
    users = load(None, {"MOCKPACS_USERS": '[{name: a, password: "x,y"}]'}, {}).users
    assert users == (NamedUser("a", "x,y"),)
    with pytest.raises(ConfigurationError, match=r"^environment variable MOCKPACS_USERS: 1:\d+: not YAML"):
        load(None, {"MOCKPACS_USERS": "[{name: a"}, {})


def test_an_empty_variable_and_a_key_without_value_count_as_not_given(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("aet:\nport: ~\npreload:\nusers: null\n")
    assert load(file, {"MOCKPACS_AET": ""}, {}) == Options()
    file.write_text("")
    assert load(file, {}, {}) == Options()


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "c.yaml"
    file.parent.mkdir()
    file.write_text("storage: data\npreload: [a.dcm, /b.dcm]\n")
    options = load(file, {"MOCKPACS_TLS_CERT": "cert.pem", "MOCKPACS_TLS_KEY": "key.pem"}, {})
    assert options.storage == file.parent / "data"
    assert options.preload == (file.parent / "a.dcm", Path("/b.dcm"))
    assert options.tls_cert == Path("cert.pem")


def test_all_errors_of_all_sources_come_at_once_each_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("prot: 1\nmax-pdu: 2\nport: many\nusers:\n  - {name: a}\n  - {nam: b}\n  - {type: jwd, token: x}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(file, {"MOCKPACS_PROT": "1"}, {"on_duplicate": "x", "prot": "1"})
    assert str(caught.value).replace(str(file), "c.yaml").splitlines() == [
        'c.yaml:1:1: unknown key "prot"; did you mean "port"?',
        'c.yaml:2:1: unknown key "max-pdu"; did you mean "max_pdu"?',
        'c.yaml:3:7: "many" is not a whole number from 0 to 65535',
        'c.yaml:6:6: unknown key "nam" of a user; did you mean "name"?',
        'c.yaml:7:12: "jwd" is not one of kerberos, saml, jwt; did you mean "jwt"?',
        'environment variable MOCKPACS_PROT: no such option; did you mean "port"?',
        '--on-duplicate: "x" is not one of keep, replace, refuse',
        'prot: no such option; did you mean "port"?',
    ]


def test_a_key_that_is_near_nothing_is_told_all_keys(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("xyzzyqw: 1")
    with pytest.raises(ConfigurationError, match=r'c\.yaml:1:1: unknown key "xyzzyqw"; the keys are host, port, aet'):
        load(file)


# (what the file holds, place and part of the sentence)
NOT_A_CONFIGURATION: list[tuple[bytes, str]] = [
    (b"port: 1\nport: 2\n", ':2:1: "port" is given twice (first in line 1)'),
    (b"a: &x [1]\nb: *x\n", ":1:4: anchors and aliases"),
    (b"b: *x\n", ":1:4: anchors and aliases"),
    (b"port: !!python/object/apply:os.system ['true']\n", ":1:7: tags"),
    (b"port: [1\n", ":2:1: not YAML"),
    (b"port: 1\n\tx: 2\n", ":2:1: not YAML"),
    (b"- a\n- b\n", ":1:1: a configuration is a mapping"),
    (b"hello", ":1:1: a configuration is a mapping"),
    (b"port: 1\n---\nport: 2\n", ":2:1: a second document"),
    (b"? [a]\n: 1\n", ":1:3: a key must be a word"),
    (b"users: " + b"[" * 50_000, "nested deeper than 24 levels"),
    (b"port: 1\n\x89PNG\r\n\x1a\n", ":2:1: not text in UTF-8 (byte 0x89)"),
    (b"port: 1\naet: \x00\n", ":2:1: a character YAML does not allow"),
    (b"# line\n" * 100_000, ":1: larger than"),
    (b"port: {a: 1}\n", ":1:7: {'a': '1'} is not a whole number"),
]


@pytest.mark.parametrize(("content", "sentence"), NOT_A_CONFIGURATION)
def test_a_file_that_is_no_configuration_is_refused_with_a_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(file)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_a_file_of_any_size_is_only_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(100 * 2**20)
    with pytest.raises(ConfigurationError, match="larger than"):
        load(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path)


# (given together, place and sentence)
CONTRADICTIONS: list[tuple[dict[str, str], str]] = [
    ({"tls_cert": "c"}, "--tls-cert: a certificate needs its private key"),
    ({"tls_key": "k"}, "--tls-key: a private key needs its certificate"),
    ({"tls_client_ca": "a"}, "--tls-client-ca: client certificates are only asked for with TLS"),
    ({"user_identity": "require"}, "--user-identity: "),
    ({"http_host": "0.0.0.0"}, 'http_token: other machines reach "0.0.0.0" (http_host): set http_token, or http: off'),
    ({"http_host": "pacs.test", "http": "8112"}, "http_token: other machines reach"),
]


@pytest.mark.parametrize(("given", "sentence"), CONTRADICTIONS)
def test_values_that_contradict_one_another_are_refused_where_they_were_given(
    given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(None, {}, given)
    assert str(caught.value).startswith(sentence)


def test_user_identity_is_checked_by_default_only_when_there_are_users() -> None:
    assert Options().identity_rule == "accept"
    assert Options(users=(NamedUser("a"),)).identity_rule == "check"
    assert Options(users=(NamedUser("a"),), user_identity="accept").identity_rule == "accept"
    assert Options(users=(NamedUser("a"),), user_identity="require").identity_rule == "require"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.3.2.1"])
def test_a_control_api_that_only_this_machine_reaches_needs_no_token(host: str) -> None:
    assert Options(http_host=host, http=8112).http_token == ""


def test_a_control_api_that_others_reach_needs_a_token_unless_it_is_off() -> None:
    assert Options(http_host="0.0.0.0", http_token="opensesame").http_host == "0.0.0.0"
    assert Options(http_host="0.0.0.0", http="off").http == "off"


def test_python_says_whether_there_is_a_control_api_with_a_truth_too() -> None:
    assert Options(http=False).http == "off"  # type: ignore[arg-type]
    assert Options(http=True).http == "auto"  # type: ignore[arg-type]


def test_a_scenario_does_not_open_the_control_api(tmp_path: Path) -> None:
    scenario = tmp_path / "s.yaml"
    scenario.write_text("mockpacs: 1\nserver:\n  http_host: 0.0.0.0\n  http_token: opensesame\n")
    with pytest.raises(ConfigurationError, match=r"s\.yaml:3:3: http_host is not for a scenario to say"):
        load(None, {}, {"scenario": str(scenario)})


def test_a_secret_is_never_in_a_repr_or_in_an_error() -> None:
    options = Options(users=("alice:hunter2", "jwt=hunter2"), http_token="hunter2hunter2")  # type: ignore[arg-type]
    assert "hunter2" not in repr(options)
    assert "hunter2" not in schema()["http_token"].kind.write(options.http_token)
    with pytest.raises(ConfigurationError) as caught:
        Options(http_token="hunter2 hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        load(None, {"MOCKPACS_USERS": '[{nam: alice, password: hunter2}, ":hunter2"]'}, {})
    assert "hunter2" not in str(caught.value)


def test_the_manual_has_the_table_the_options_make() -> None:
    manual = Path(__file__).parent.parent / "docs" / "configuration.md"
    assert table() in manual.read_text(encoding="utf-8"), "run `make docs`"
