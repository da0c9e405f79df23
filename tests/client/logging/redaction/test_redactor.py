"""Secrets leave no trace, and everything else stays as it was."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telecine.logging.redaction import MAX_DEPTH, Redactor, triggers_of
from telecine.logging.redaction.rule_pack import DEFAULT_PACK
from telecine.logging.redaction.rules import Check, KeyRule, ValueRule, pack_from_mapping
from telecine.logging.redaction.text.encodings import TRIGGERS as ENCODING_TRIGGERS
from telecine.logging.redaction.text.secret_text import MASK

ALL_ON = DEFAULT_PACK.with_rules_on(*(rule.id for rule in DEFAULT_PACK.values if not rule.is_on))
ENGINES = ("hyperscan", "re2", "re")
REDACTOR = Redactor(ALL_ON)
BY_DEFAULT = Redactor()

VALUE_EXAMPLES = [(rule, text) for rule in DEFAULT_PACK.values for text in rule.matches]
KEYS = [key for rule in DEFAULT_PACK.keys for key in rule.matches]
SECRET = "Zq7" + "xKw92LmP4"


@pytest.fixture(params=ENGINES, scope="module")
def redactor(request: pytest.FixtureRequest) -> Redactor:
    return Redactor(ALL_ON, engine=request.param)


def test_every_rule_has_examples_for_and_most_have_examples_against() -> None:
    for rule in (*DEFAULT_PACK.values, *DEFAULT_PACK.keys):
        # What stands under the other keys must look like a secret too.
        assert rule.matches or rule.check is not Check.NONE, rule.id
    for key_rule in DEFAULT_PACK.keys:
        assert key_rule.spares, key_rule.id


@pytest.mark.parametrize(("rule", "text"), VALUE_EXAMPLES, ids=lambda value: getattr(value, "id", ""))
def test_a_positive_example_is_redacted_by_its_rule_in_every_engine(
    rule: ValueRule, text: str, redactor: Redactor
) -> None:
    redacted, counts = redactor.redact_text(text)
    assert counts.get(rule.id) == 1, counts
    assert MASK in redacted
    line = json.dumps({"msg": f"before\n{text}"}).encode()
    assert redactor.scan(line), "the scan must see in raw JSON what the rule would find"
    assert redactor.redact_json_line(line)[1].get(rule.id) == 1


@pytest.mark.parametrize("rule", DEFAULT_PACK.values, ids=lambda rule: rule.id)
def test_a_negative_example_stays_as_it_is(rule: ValueRule) -> None:
    for text in rule.spares:
        assert BY_DEFAULT.redact_text(text) == (text, {})


@pytest.mark.parametrize("rule", DEFAULT_PACK.keys, ids=lambda rule: rule.id)
def test_a_key_rule_covers_its_keys_and_spares_the_others(rule: KeyRule, redactor: Redactor) -> None:
    for key in rule.matches:
        line = json.dumps({key: SECRET}).encode()
        assert redactor.scan(line), key
        redacted, counts = redactor.redact_json_line(line)
        assert json.loads(redacted) == {key: MASK}, key
        assert sum(counts.values()) == 1
    for key in rule.spares:
        assert redactor.redact_mapping({key: "harmless"}) == ({key: "harmless"}, {}), key


@pytest.mark.parametrize(
    "text",
    [
        "password=" + SECRET,
        "login failed: password: '" + SECRET + "'",
        '{"password": "' + SECRET + '"}',
        '{\\"api_key\\": \\"' + SECRET + '\\"}',
        "{'Authorization': 'Token " + SECRET + "'}",
        "X-Api-Key: " + SECRET,
        "tool --token " + SECRET + " --verbose",
        "tool --password=" + SECRET,
        "Server=db;Password=" + SECRET + ";Timeout=3",
        "AWS_SECRET_ACCESS_KEY=" + SECRET,
        "Set-Cookie: session=" + SECRET + "; Path=/",
        "cookie: a=1; session=" + SECRET,
        "Authorization: Digest username=x, response=" + SECRET,
        "\\u0070assword=" + SECRET,
        "client_secret => " + SECRET,
        "secrets = ['" + SECRET + "', 'other']",
        'headers=[("authorization", "' + SECRET + '")]',
    ],
)
def test_a_secret_named_in_running_text_is_redacted(text: str) -> None:
    redacted, counts = BY_DEFAULT.redact_text(text)
    assert SECRET not in redacted
    assert counts
    assert BY_DEFAULT.redact_text(redacted) == (redacted, {})


@pytest.mark.parametrize(
    "text",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "0.4111111111111111 and 1.5555555555554444e-3",
        "sha256:" + "0123456789abcdef" * 4,
        "/srv/artifacts/20251127_140915_job_41f2/manifest.json",
        "C:\\models\\wan\\token_embeddings.bin",
        "max_tokens=77, pad_token=0, prompt_tokens: 512",
        "pixverse:t2v:00112233445566778899",
        "frame 4111111111111112 of 5555555555554445",
        "PWD=/home/worker",
        "took 1763999999123456789 ns",
        "https://cdn.example.com:8443/clip.mp4?width=1280&height=720",
        "author: Ada; authored_at=2026",
        "Unexpected token: } at line 3",
        "password=None secret='' api_key=***",
        "see https://example.com/@user/a:b",
        "job-4111111111111111",
        "the secretary passed the cookiecutter compass",
    ],
)
def test_ids_hashes_numbers_and_paths_are_not_eaten(text: str) -> None:
    assert BY_DEFAULT.redact_text(text) == (text, {})
    assert BY_DEFAULT.redact_mapping({"msg": text, "path": text, "job_id": text})[1] == {}


def test_a_job_id_that_looks_like_a_card_number_stays() -> None:
    number = "4111111111" + "111111"
    assert BY_DEFAULT.redact_mapping({"job_id": number}) == ({"job_id": number}, {})
    assert BY_DEFAULT.redact_mapping({"card": number})[0] == {"card": MASK}


def test_numbers_come_through_as_they_were_written() -> None:
    line = b'{"a":1.10,"b":4111111111111111,"c":1e400,"d":12345678901234567890123,"password":"x"}'
    redacted, counts = BY_DEFAULT.redact_json_line(line)
    assert redacted == line.replace(b'"x"', b'"***redacted***"')
    assert counts == {"password": 1}


def test_numbers_under_a_token_key_stay_and_under_a_password_key_go() -> None:
    """open-telemetry/opentelemetry-collector-contrib#37591: what is no text"""
    assert BY_DEFAULT.redact_mapping({"token": 5, "password": 12345})[0] == {"token": 5, "password": MASK}


def test_flags_and_absent_values_under_secret_keys_stay() -> None:
    record = {"password": None, "secret": True, "token": "", "api_key": False}
    assert BY_DEFAULT.redact_mapping(record) == (record, {})


def test_headers_as_pairs_and_as_named_values_are_understood() -> None:
    record = {
        "headers": [["authorization", SECRET], ["accept", "video/mp4"]],
        "attributes": [{"key": "password", "value": {"stringValue": SECRET}}, {"key": "a", "value": "b"}],
    }
    redacted, _ = BY_DEFAULT.redact_mapping(record)
    assert redacted["headers"] == [["authorization", MASK], ["accept", "video/mp4"]]
    assert redacted["attributes"] == [{"key": "password", "value": MASK}, {"key": "a", "value": "b"}]
    assert BY_DEFAULT.scan(json.dumps(record).encode())


def test_a_line_that_is_no_json_is_redacted_as_text() -> None:
    redacted, counts = BY_DEFAULT.redact_json_line(b"\xff password=" + SECRET.encode() + b" {broken")
    assert SECRET.encode() not in redacted
    assert redacted.startswith(b"\xff password=***")
    assert counts == {"password": 1}


def test_a_batch_without_a_hit_is_returned_uncopied_and_with_one_only_its_line_changes() -> None:
    clean = b'{"msg":"frame","n":1.50}\n'
    assert BY_DEFAULT.redact_lines(clean * 3)[0] == clean * 3
    batch = clean + json.dumps({"msg": "x", "jwt_token": SECRET}).encode() + b"\n" + clean
    redacted, counts = BY_DEFAULT.redact_lines(batch)
    assert redacted == clean + b'{"msg":"x","jwt_token":"***redacted***"}\n' + clean
    assert counts == {"token": 1}
    untouched = clean * 2
    assert BY_DEFAULT.redact_lines(untouched)[0] is untouched


def test_a_keyed_hash_makes_equal_secrets_recognisable_and_nothing_else() -> None:
    keyed = Redactor(hash_key=b"k1")
    first, second = (keyed.redact_mapping({"password": SECRET})[0]["password"] for _ in range(2))
    other = keyed.redact_mapping({"password": SECRET + "x"})[0]["password"]
    elsewhere = Redactor(hash_key=b"k2").redact_mapping({"password": SECRET})[0]["password"]
    assert first == second != other
    assert elsewhere != first
    assert keyed.redact_text(f"password={first}") == (f"password={first}", {})


def test_own_rules_come_from_configuration() -> None:
    """open-telemetry/opentelemetry-collector-contrib#35830, #42659: own patterns of keys"""
    own = pack_from_mapping(
        {
            "values": [{"id": "studio_key", "pattern": "studio_(?P<secret>[0-9]{6})"}],
            "keys": [{"id": "prompt", "phrases": ["prompt text"]}],
        }
    )
    redactor = Redactor(DEFAULT_PACK.joined_with(own))
    redacted, counts = redactor.redact_mapping({"msg": "with studio_123456", "PromptText": "a cat"})
    assert redacted == {"msg": f"with studio_{MASK}", "PromptText": MASK}
    assert counts == {"studio_key": 1, "prompt": 1}


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ({"values": [{"id": "x"}]}, "pattern"),
        ({"values": [{"id": "x", "pattern": "(?=a)"}]}, "look-around"),
        ({"values": [{"id": "x", "pattern": "("}]}, "not a pattern"),
        ({"rules": []}, "rules"),
    ],
)
def test_a_bad_own_rule_is_refused_with_a_reason(mapping: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        pack_from_mapping(mapping)


def test_an_unknown_optional_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="email"):
        DEFAULT_PACK.with_rules_on("e-mail")


def test_what_is_nested_too_deep_is_replaced_as_a_whole() -> None:
    tree: object = {"password": SECRET}
    for _ in range(MAX_DEPTH + 5):
        tree = [tree]
    redacted, counts = BY_DEFAULT.redact_value(tree)
    assert SECRET not in json.dumps(redacted)
    assert counts == {"too_deep": 1}


def test_hostile_text_takes_linear_time() -> None:
    for piece in (
        "password",
        "eyJ-",
        "://a:",
        "sk-a",
        "Bearer ",
        "\\u0070",
        "4111 ",
        "-----BEGIN PRIVATE KEY-----",
    ):
        BY_DEFAULT.redact_text(piece * 4000)


# --- properties -------------------------------------------------------------------------------------

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
_trees = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_secret_texts = st.sampled_from([text for _, text in VALUE_EXAMPLES])
_secret_keys = st.sampled_from(KEYS)


@st.composite
def _hidden(draw: st.DrawFn) -> object:
    """A secret under a telling key, in some depth of lists and dicts."""
    tree: object = {draw(_secret_keys): SECRET}
    for _ in range(draw(st.integers(0, 6))):
        siblings = draw(st.lists(_trees, max_size=2))
        tree = [*siblings, tree] if draw(st.booleans()) else {"a": siblings, "b": tree}
    return {"msg": "x", "tree": tree}


@given(_hidden(), st.booleans())
def test_redaction_is_complete_under_nesting(record: object, is_ascii: bool) -> None:
    line = json.dumps(record, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    redacted, counts = REDACTOR.redact_json_line(line)
    assert SECRET.encode() not in redacted
    assert counts


@given(_secret_keys, st.data())
def test_redaction_is_complete_under_escaping(key: str, data: st.DataObject) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\u{ord(c):04x}" if data.draw(st.booleans()) else c for c in text)

    line = f'{{"msg":"x","{escaped(key)}":"{escaped(SECRET)}"}}'.encode()
    assert json.loads(line)[key] == SECRET
    redacted, _ = REDACTOR.redact_json_line(line)
    assert json.loads(redacted)[key] == MASK
    inner = json.dumps({"msg": line.decode()}).encode()
    assert SECRET not in json.loads(REDACTOR.redact_json_line(inner)[0])["msg"]


@given(_secret_keys, st.data())
def test_case_and_separators_of_a_key_do_not_matter(key: str, data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from(["-", "_", ".", " "]))
    spelled = key.replace("_", separator).replace("-", separator)
    spelled = data.draw(st.sampled_from([spelled, spelled.upper(), spelled.lower()]))
    assert REDACTOR.redact_mapping({spelled: SECRET})[0] == {spelled: MASK}


@given(st.lists(st.one_of(_hidden(), _trees.map(lambda tree: {"msg": tree})), max_size=6), st.data())
def test_splitting_a_batch_changes_nothing(records: list[object], data: st.DataObject) -> None:
    lines = [json.dumps(record).encode() + b"\n" for record in records]
    whole = REDACTOR.redact_lines(b"".join(lines))[0]
    cut = data.draw(st.integers(0, len(lines)))
    parts = REDACTOR.redact_lines(b"".join(lines[:cut]))[0] + REDACTOR.redact_lines(b"".join(lines[cut:]))[0]
    singles = b"".join(REDACTOR.redact_json_line(line[:-1])[0] + b"\n" for line in lines)
    assert whole == parts == singles


_texts = st.lists(
    st.one_of(
        _secret_texts,
        _secret_keys.map(lambda key: f"{key}="),
        st.sampled_from(
            [MASK, '"', "'", ": ", " ", "\\", "{", "}", "\n", ";", "=", "--", "\\u0070", "abc1def2"]
        ),
        st.text(max_size=6),
    ),
    max_size=8,
).map("".join)


@given(_texts)
def test_redacting_twice_changes_nothing(text: str) -> None:
    once, _ = REDACTOR.redact_text(text)
    assert REDACTOR.redact_text(once) == (once, {})
    line = json.dumps({"msg": text}).encode()
    first = REDACTOR.redact_json_line(line)[0]
    assert REDACTOR.redact_json_line(first) == (first, {})


@given(_texts, st.sampled_from(ENGINES))
def test_what_the_scan_calls_clean_is_clean(text: str, engine: str) -> None:
    redactor = _by_engine[engine]
    line = json.dumps({"msg": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if not redactor.scan(line):
        counts: dict[str, int] = {}
        redactor._text.replace(text, redactor.mask, counts)
        assert counts == {}


_by_engine = {engine: Redactor(ALL_ON, engine=engine) for engine in ENGINES}


@given(st.text(alphabet=string.hexdigits + "-_/.:", max_size=80))
def test_strings_of_id_characters_are_not_eaten_by_value_rules(text: str) -> None:
    redacted, counts = BY_DEFAULT.redact_text(text)
    assert set(counts) <= {"url_password", "card_number"}, (redacted, counts)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.uuids())
def test_numbers_and_uuids_are_never_touched(number: float, integer: int, uuid: object) -> None:
    record = {"a": number, "b": [integer], "c": str(uuid), "msg": f"{number} {uuid}"}
    assert BY_DEFAULT.redact_mapping(record) == (record, {})


def test_triggers_are_re2_patterns_with_hints_where_they_have_literals() -> None:
    for trigger in triggers_of(DEFAULT_PACK):
        is_number = r"\d" in trigger.pattern
        assert trigger.hints or is_number or trigger in ENCODING_TRIGGERS, trigger
