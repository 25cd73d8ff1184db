"""A policy file is read whole or not at all, and what is wrong is told with its line and key."""

from __future__ import annotations

import json
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from review import Policy
from review.errors import BadPolicy
from review.policy.locator import lines_of
from review.policy.rules import Match, MaxLength, Rule

HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text(encoding="utf-8"))

WHOLE = """name = "house"                                    # the version is the hash of the text
reasons = ["too_long"]
[actors]                                          # without it everyone at the command line is reviewer and admin
alice = ["reviewer", "admin"]                     # reviewer, admin, viewer
[[rule]]
match = { channel = "youtube", kind = "comment", identity = "*", target = "https://youtube.com/*", agent = "*" }
mode = "review"
approvals = 1
max_length = { value = 200, unit = "characters" } # characters, bytes, x_weighted
daily_limit = 50
timezone = "Asia/Tokyo"
min_interval = "4h"
expires_after = "24h"
auto_reject = ["I'm sorry, I can't assist"]
banned_phrases = ["@Unknown"]
unique_within = "7d"
deny = false
publisher = "folder"
"""


def refused(text: str) -> BadPolicy:
    """What is said of a text that can't be used."""
    with pytest.raises(BadPolicy) as caught:
        Policy.parse(text, "p.toml")
    assert caught.value.exit_code == 2
    assert caught.value.message.isprintable()
    assert caught.value.message.startswith(f"p.toml, line {caught.value.line}")
    assert "running policy stays" in caught.value.hint
    return caught.value


def test_every_key_is_read() -> None:
    """A file with every key of the design gives the policy that it says."""
    policy = Policy.parse(WHOLE)
    assert policy.rules == (
        Rule(
            match=Match("youtube", "comment", "*", "https://youtube.com/*", "*"),
            mode="review",
            approvals=1,
            max_length=MaxLength(200, "characters"),
            daily_limit=50,
            timezone="Asia/Tokyo",
            min_interval=timedelta(hours=4),
            expires_after=timedelta(hours=24),
            auto_reject=("I'm sorry, I can't assist",),
            banned_phrases=("@Unknown",),
            unique_within=timedelta(days=7),
            deny=False,
            publisher="folder",
        ),
    )
    assert (policy.name, policy.reasons, policy.actors) == ("house", ("too_long",), (("alice", ("reviewer", "admin")),))
    assert (policy.roles_of("alice"), policy.roles_of("bob")) == ({"reviewer", "admin"}, set())


def test_an_empty_file_leaves_everything_to_one_person() -> None:
    """Without rules there is no rule, without actors everybody decides."""
    policy = Policy.parse("")
    assert (policy.rules, policy.actors, policy.roles_of("anybody")) == ((), None, {"reviewer", "admin"})


def test_every_byte_of_the_text_is_in_the_version() -> None:
    """A comment more, or another line end, is another version."""
    texts = (WHOLE, WHOLE + "#", WHOLE.replace("\n", "\r\n"))
    assert len({Policy.parse(text).version for text in texts}) == len(texts)


@pytest.mark.parametrize("entry", [e for e in HOSTILE if e["category"] == "toml"], ids=lambda entry: entry["id"])
def test_a_hostile_line_is_refused_with_line_and_key(entry: dict[str, str]) -> None:
    """What weakens the gate by a slip is refused, at the top and in a rule: only a phrase is taken as it stands."""
    lines = entry["value"].count("\n") + 1
    error = refused(entry["value"])
    assert error.key
    assert 1 <= int(str(error.line)) <= lines
    inside = f'[[rule]]\nmatch = {{ channel = "x" }}\n{entry["value"]}'
    if entry["id"] == "toml-12":
        phrases = Policy.parse(inside).rules[0].banned_phrases
        assert phrases == ("(a+)+$",), "a phrase is no pattern"
        return
    error = refused(inside)
    assert error.key
    assert int(str(error.line)) > 2


def test_a_huge_text_is_refused_at_once() -> None:
    """Size, depth and numbers beyond any sense are refused without a crash."""
    for entry in HOSTILE:
        if entry["category"] == "toml-large":
            refused(entry["value"])
    for text in (
        "# " + "x" * 300_000,
        "a = " + "[" * 5_000,
        "a = " + "9" * 6_000,
        "a = {" * 3_000,
        "\0",
        "\ufeffa = 1",
    ):
        refused(text)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('match = { chanel = "x" }', "rule[2].match.chanel"),
        ("match = 3", "rule[2].match"),
        ('match = { channel = "" }', "rule[2].match.channel"),
        ("match = { channel = 1 }", "rule[2].match.channel"),
        ('match.channel = ["x"]', "rule[2].match.channel"),
        ('mode = "auto "', "rule[2].mode"),
        ("approvals = 101", "rule[2].approvals"),
        ("max_length = 200", "rule[2].max_length"),
        ('max_length = { unit = "bytes" }', "rule[2].max_length"),
        ('max_length = { value = 2, unit = "words" }', "rule[2].max_length.unit"),
        ("max_length = { value = 0 }", "rule[2].max_length.value"),
        ("daily_limit = 0", "rule[2].daily_limit"),
        ('timezone = "Asia/Tokyo"', "rule[2].timezone"),
        ('daily_limit = 1\ntimezone = "../etc/passwd"', "rule[2].timezone"),
        ('daily_limit = 1\ntimezone = "Mars/Base"', "rule[2].timezone"),
        ('min_interval = "4 h"', "rule[2].min_interval"),
        ('min_interval = "0s"', "rule[2].min_interval"),
        ("min_interval = 4", "rule[2].min_interval"),
        ('expires_after = "99999d"', "rule[2].expires_after"),
        ('unique_within = "\uff17d"', "rule[2].unique_within"),
        ('auto_reject = "x"', "rule[2].auto_reject"),
        ('auto_reject = ["x", ""]', "rule[2].auto_reject[2]"),
        ('banned_phrases = ["\\u200b \\u3164"]', "rule[2].banned_phrases[1]"),
        ("banned_phrases = [1]", "rule[2].banned_phrases[1]"),
        ('deny = "false"', "rule[2].deny"),
        ("deny = 0", "rule[2].deny"),
        ('publisher = "../x"', "rule[2].publisher"),
        ('publisher = ""', "rule[2].publisher"),
    ],
)
def test_an_impossible_value_is_refused_where_it_stands(line: str, key: str) -> None:
    """Each value of a rule that can't be meant is refused with its own line and key."""
    text = f'name = "house" # [[rule]]\n[[rule]]\n# approvals = 0\n[[rule]]\n{line}\n'
    error = refused(text)
    assert (error.key, error.line) == (key, 4 + len(line.split("\n")))


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ('name = "a b"', 1, "name"),
        ("name = 3", 1, "name"),
        ('\nreasons = ["Too long"]', 2, "reasons[1]"),
        ("reasons = [\n'fine',\n# a comment ] \n3]", 4, "reasons[2]"),
        ("rule = 3", 1, "rule"),
        ("[rule]\nmode = 'auto'", 1, "rule"),
        ("rule = [{mode='auto'}, {mode='Auto'}]", 1, "rule[2].mode"),
        ("[actors]\nalice = ['boss']", 2, "actors.alice"),
        ("[actors]\nalice = 'admin'", 2, "actors.alice"),
        ("[actors]\nalice = ['admin']\nsystem = ['admin']", 3, "actors.system"),
        ("[actors]\nalice = ['reviewer']", 1, "actors"),
        ("actors = 3", 1, "actors"),
        ("[actors]\n\"a]b\" = ['admin']", 2, "actors.'a]b'"),
        ("[['rule'.\"x\"]]\nmode = 'auto'", 1, "rule"),
    ],
)
def test_what_is_wrong_outside_the_rules_is_told_too(text: str, line: int, key: str) -> None:
    """Names, reasons, actors and the shape of the file are held as well."""
    error = refused(text)
    assert (error.line, error.key) == (line, key)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """A file that is not there, is a folder, or is no UTF-8 is refused by name."""
    for path in (tmp_path, tmp_path / "missing.toml"):
        with pytest.raises(BadPolicy, match="can't be read"):
            Policy.read(path)
    path = tmp_path / "p.toml"
    path.write_bytes(b'name = "a"\n# \xff\n')
    with pytest.raises(BadPolicy, match=r"line 2: UTF-8 was expected, byte 14"):
        Policy.read(path)
    path.write_text(WHOLE, encoding="utf-8")
    assert Policy.read(path).text == WHOLE


HARD = r'''# [[rule]] a = 1
a = "[x] = # \" ] }" # "
b = """
c = 1
[[rule]]
\""" still b"""
'c d' = ['[', "]", [1, [2,
  3], # ] comment
], { e = "}" , f.g = [ '''
HARD += r"""'''
x = 1
''' ] } ]
h . "i\u0041.j" . k = 1979-05-27T07:32:00Z
[ table . "sub.table" ]
l = +inf
[[array.of]]
m = 1
[array.of.n]
o = true
[[array.of]]
m = '''''it''s'''''
"""


def test_keys_are_found_past_everything_that_looks_like_one() -> None:
    """Strings, comments, arrays, inline tables and dotted keys hide no key and invent none."""
    lines = lines_of(HARD)
    text = HARD.split("\n")
    assert lines[("a",)] == 2
    assert lines[("b",)] == 3
    assert lines[("c d",)] == 7
    assert lines[("c d", 2, 1, 1)] == 8
    assert lines[("c d", 3, "f", "g", 0)] == 9
    assert lines[("h", "iA.j", "k")] == 12
    assert lines[("table", "sub.table", "l")] == 14
    assert lines[("array", "of", 0, "n", "o")] == 18
    assert text[lines[("array", "of", 1, "m")] - 1].startswith("m = '''")
    assert ("c",) not in lines
    assert ("rule",) not in lines


def paths(value: Any, at: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Every key and place of a TOML value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {(*at, key) for key, _ in pairs}.union(*(paths(one, (*at, key)) for key, one in pairs)) if pairs else set()


KEYS = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", '"h\\u0041"', "1"])
STRINGS = st.sampled_from(['"x"', "'#'", '"]"', '"""\n[[a]]\n"""', "'''}\n'''", '"\\""', "'\"'", '""'])
PLAIN = st.one_of(STRINGS, st.sampled_from(["1", "true", "1.5", "1979-05-27"]))
GAPS = st.sampled_from(["", " ", "\n", " # ]\n", "\n\n\t"])
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(st.tuples(GAPS, inner, GAPS), max_size=3).map(
            lambda items: "[" + ",".join("".join(item) for item in items) + "]"
        ),
        st.lists(st.tuples(KEYS, PLAIN), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{ " + ", ".join(f"{key} = {value}" for key, value in pairs if "\n" not in value) + " }"
        ),
    ),
    max_leaves=6,
)
LINES = st.one_of(
    st.builds("{0} = {1}".format, KEYS, VALUES),
    st.builds("{0}.{1} = {2}".format, KEYS, KEYS, VALUES),
    st.builds("[{0}]".format, KEYS),
    st.builds("[[{0}]]".format, KEYS),
    st.builds("[ {0} . {1} ]".format, KEYS, KEYS),
    st.sampled_from(["", "# a = [", "\t"]),
)


@given(st.lists(LINES, max_size=8))
@settings(max_examples=150, deadline=None)
def test_every_key_of_any_toml_has_its_line(lines: list[str]) -> None:
    """Whatever tomllib reads, each of its keys is found, and on a line that can hold it."""
    text = "\n".join(lines)
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = lines_of(text)
    assert paths(value) <= found.keys()
    for path, line in found.items():
        assert 1 <= line <= text.count("\n") + 1, path
