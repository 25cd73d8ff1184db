"""Redaction: what names a secret never becomes bytes, and everything else is left alone."""

from __future__ import annotations

import pytest

from capture.events.event import Event, JsonObject
from capture.vocabulary import ActionProposed, ErrorLearned, MemoryLearned, ModelCalled, SocialPostDrafted, ToolCalled
from capture.writer.redaction import REDACTED, Redaction


class KeyIssued(Event, type="key.issued", version=1):
    """A module's own event, with a secret among its own fields."""

    owner: str
    api_key: str
    session_token: str | None = None


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "PASSWORD",
        "db_password",
        "token",
        "access_token",
        "x-access-token",
        "secret",
        "clientSecret",
        "Authorization",
        "Proxy-Authorization",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "OPENAI_API_KEY",
        "private_key",
        "Set-Cookie",
    ],
)
def test_the_values_of_secret_keys_are_replaced_at_any_depth(key: str) -> None:
    """A key that names a secret keeps its place and loses its value, however deep it lies."""
    event = ToolCalled(tool="http", arguments={"url": "u", "headers": [{"deep": {key: "s3cret", "n": 1}}]})
    clean = Redaction().event(event)
    assert clean.arguments == {"url": "u", "headers": [{"deep": {key: REDACTED, "n": 1}}]}
    assert event.arguments["headers"] == [{"deep": {key: "s3cret", "n": 1}}], "the agent's own event is not touched"


@pytest.mark.parametrize("key", ["total_tokens", "max_tokens", "tokens", "passwords_changed", "secretary", "tokenizer"])
def test_words_that_only_look_like_secrets_are_kept(key: str) -> None:
    """Counts of tokens and the like are no secrets."""
    event = ModelCalled(provider="p", model="m", usage={key: 12})
    assert Redaction().event(event) is event


def test_an_event_without_secrets_is_the_same_object() -> None:
    """Nothing is copied where nothing is replaced."""
    event = SocialPostDrafted(channel="x", identity="a", body="b", metadata={"model": "m", "list": [1, {"a": None}]})
    assert Redaction().event(event) is event


def test_a_draft_s_text_is_never_touched() -> None:
    """What a person will judge stays as the agent wrote it, whatever words are in it."""
    body = 'password: hunter2, {"token": "abc"}'
    draft = ActionProposed(
        channel="x", identity="a", body=body, action="pay", arguments={"card_token": "t", "amount": 5}
    )
    clean = Redaction().event(draft)
    assert clean.body == body
    assert clean.arguments == {"card_token": REDACTED, "amount": 5}


def test_text_fields_that_are_named_so_are_replaced() -> None:
    """A module's own field with a secret's name loses its value too."""
    clean = Redaction().event(KeyIssued(owner="a", api_key="k"))
    assert clean == KeyIssued(owner="a", api_key=REDACTED, session_token=None)


def test_json_values_that_are_no_objects_are_looked_into() -> None:
    """A list as a value is searched like an object."""
    clean = Redaction().event(MemoryLearned(key="k", value=[{"token": "t"}, "x"], kind="fact"))
    assert clean.value == [{"token": REDACTED}, "x"]
    clean_error = Redaction().event(ErrorLearned(error_type="E", error_hash="h", solution={"env": {"pwd": 1}}))
    assert clean_error.solution == {"env": {"pwd": REDACTED}}


def test_own_keys_replace_the_usual_ones() -> None:
    """With keys of one's own, those and no others are replaced."""
    event = ToolCalled(tool="t", arguments={"iban": "DE1", "token": "t"})
    assert Redaction(["iban"]).event(event).arguments == {"iban": REDACTED, "token": "t"}
    assert Redaction("iban").event(event).arguments == {"iban": REDACTED, "token": "t"}
    assert Redaction([]).event(event) is event


def test_a_function_sees_the_payload_after_the_usual_keys() -> None:
    """A function takes the payload and says what to keep of it; the result is validated again."""

    def hide(payload: JsonObject) -> JsonObject:
        assert payload["arguments"] == {"token": REDACTED, "to": "bob"}
        return {**payload, "arguments": {}}

    event = ToolCalled(tool="t", arguments={"token": "t", "to": "bob"})
    assert Redaction(hide).event(event).arguments == {}
