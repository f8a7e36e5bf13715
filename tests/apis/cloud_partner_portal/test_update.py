# SPDX-License-Identifier: Apache-2.0
"""Changing a draft: read, change, store as one step, and no key is lost."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from support.player import Player, make_response

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal.update import MAX_TRIES, update
from airflow_provider_cpp.core.http import Request
from airflow_provider_cpp.core.json_fields import merge_patch
from airflow_provider_cpp.core.models import OfferDocument, OfferRef
from airflow_provider_cpp.core.params import UpdateParams

ETAG = "W/\"datetime'2026-11-03T09%3A00%3A00.1234567Z'\""
DRAFT = {
    "id": "contoso-vm",
    "version": 636576975611768314,
    "definition": {"displayText": "Contoso", "plans": [{"planId": "gold", "x.unknown": {"deep": [1, None]}}]},
    "pcMigrationStatus": "migrated",
}
LOST = exceptions.TransportError("store", text="timed out")
STALE = exceptions.PreconditionFailedError("store", status=412)


class Drafts:
    """A fake API with one draft.

    :ivar puts: the condition and the body of each write.
    :ivar responses: the errors that the next writes get, each with whether the write is stored all the same.
    """

    def __init__(self, content: dict[str, Any] | None, etag: str | None = ETAG) -> None:
        self.content = copy.deepcopy(content)
        self.etag = etag
        self.puts: list[tuple[str | None, bytes]] = []
        self.responses: list[tuple[exceptions.MarketplaceError, bool]] = []
        self.before_write: Any = None

    def __call__(self, request: Request[Any]) -> Any:
        if request.method == "PUT":
            assert request.body is not None
            self.puts.append((request.headers.get("If-Match"), request.body))
            error, is_stored = self.responses.pop(0) if self.responses else (None, True)
            if self.before_write is not None:
                self.before_write(self)
            if is_stored:
                self.content = json.loads(request.body)
            if error is not None:
                return error
        if self.content is None:
            return exceptions.NotFoundError("draft", status=404)
        headers = {"etag": self.etag} if self.etag else {}
        return make_response(self.content, 200, headers)


@pytest.fixture
def title(offer: OfferRef) -> UpdateParams:
    """Return a small change."""
    return UpdateParams(offer, merge_patch({"definition": {"displayText": "New"}}))


# The examples of RFC 7396, appendix A: the document, the patch, the result.
EXAMPLES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "expected"), EXAMPLES)
def test_the_examples_of_the_rfc(document: Any, patch: Any, expected: Any) -> None:
    """Each example of the RFC has the given result, nested one level down."""
    before = {"x": copy.deepcopy(document), "y": 1}
    assert merge_patch({"x": patch})(before) == {"x": expected, "y": 1}
    assert before == {"x": document, "y": 1}


def test_a_null_removes_a_key() -> None:
    """A null removes its key, nested one level down."""
    assert merge_patch({"x": None, "z": None})({"x": {"a": "foo"}, "y": 1}) == {"y": 1}


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(
    document=some.dictionaries(some.sampled_from("abcd"), JSON), patch=some.dictionaries(some.sampled_from("abc"), JSON)
)
def test_a_patch_is_idempotent(document: dict[str, Any], patch: dict[str, Any]) -> None:
    """A patch changes neither itself nor its input, does nothing the second time, and keeps other keys."""
    change, frozen = merge_patch(patch), copy.deepcopy((document, patch))
    after = change(document)
    assert after is not None
    assert (document, patch) == frozen
    assert change(after) == after
    assert {key: after[key] for key in after if key not in patch} == {
        key: document[key] for key in document if key not in patch
    }


def test_everything_else_stays(player: Player, title: UpdateParams) -> None:
    """Unknown keys, nulls and 18-digit numbers are stored unchanged, with the draft's ETag as condition."""
    player.respond = drafts = Drafts(DRAFT)
    updated = player.run(update(title))
    expected = copy.deepcopy(DRAFT)
    expected["definition"]["displayText"] = "New"  # type: ignore[index]
    (condition, body), *others = drafts.puts
    assert condition == ETAG
    assert json.loads(body) == expected
    assert others == []
    assert b"636576975611768314" in body
    assert updated.written is True
    assert updated.document == OfferDocument(expected, ETAG)


def test_text_is_sent_unescaped(player: Player, offer: OfferRef) -> None:
    """The body escapes neither the ampersands of an image's URL nor non-ASCII letters."""
    player.respond = drafts = Drafts(DRAFT)
    player.run(update(UpdateParams(offer, merge_patch({"url": "https://a/b?sv=1&sig=x%3D&se=<é>"}))))
    assert '"https://a/b?sv=1&sig=x%3D&se=<é>"'.encode() in drafts.puts[0][1]


def test_an_unchanged_draft_is_not_written(player: Player, title: UpdateParams) -> None:
    """A change without effect writes nothing, needs no ETag, and is logged."""
    content = copy.deepcopy(DRAFT) | {"definition": {"displayText": "New"}}
    player.respond = drafts = Drafts(content, etag=None)
    updated = player.run(update(title))
    assert updated.written is False
    assert updated.document.content == content
    assert drafts.puts == []
    assert "nothing was written" in player.logged[0][0]


@pytest.mark.parametrize(("current", "expected"), [(1, True), (0, False), (True, 1), ([1], [True])])
def test_true_is_not_one(player: Player, offer: OfferRef, current: Any, expected: Any) -> None:
    """Values that are equal in Python but not in JSON are written."""
    player.respond = drafts = Drafts({"x": current})
    assert player.run(update(UpdateParams(offer, merge_patch({"x": expected})))).written
    assert json.dumps(json.loads(drafts.puts[0][1])["x"]) == json.dumps(expected)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_change_may_work_in_place_or_return(player: Player, offer: OfferRef, *, in_place: bool) -> None:
    """A callable may change the document in place or return another one."""

    def change(document: dict[str, Any]) -> dict[str, Any] | None:
        if not in_place:
            return {**document, "x": 1}
        document["x"] = 1
        return None

    player.respond = drafts = Drafts(DRAFT)
    assert player.run(update(UpdateParams(offer, change))).written
    assert json.loads(drafts.puts[0][1]) == DRAFT | {"x": 1}


def circle() -> dict[str, Any]:
    document: dict[str, Any] = {}
    document["x"] = document
    return document


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ([1], "the change returned list"),
        ("text", "the change returned str"),
        (7, "the change returned int"),
        (True, "the change returned bool"),
        ({}, "the change returned an empty document"),
        ([], "the change returned an empty document"),
        (False, "the change returned an empty document"),
        ({"x": datetime(2026, 1, 1, tzinfo=timezone.utc)}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": {1, 2}}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": 1, 2: 3}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": float("nan")}, r"what JSON cannot hold \(ValueError\)"),
        ({"x": "\ud800"}, r"what JSON cannot hold \(UnicodeEncodeError\)"),
        (circle(), "what JSON cannot hold"),
    ],
)
def test_an_invalid_result_of_a_change_is_refused(
    player: Player, offer: OfferRef, returned: Any, expected: str
) -> None:
    """A result that is no JSON object, or cannot be serialized, is not stored."""
    player.respond = drafts = Drafts(DRAFT)
    with pytest.raises(exceptions.ConfigurationError, match=expected):
        player.run(update(UpdateParams(offer, lambda _: returned)))
    assert drafts.puts == []


def test_an_error_raised_by_a_change_is_not_wrapped(player: Player, offer: OfferRef) -> None:
    """An error raised by the callable propagates unchanged, and nothing is stored."""
    player.respond = drafts = Drafts(DRAFT)
    with pytest.raises(KeyError):
        player.run(update(UpdateParams(offer, lambda document: document["no such key"])))
    assert drafts.puts == []


def test_a_concurrent_write_is_kept(player: Player, title: UpdateParams) -> None:
    """After a 412 the change is applied again to the current draft, with its ETag, and the other change stays."""
    player.respond = drafts = Drafts(DRAFT)

    def theirs(drafts: Drafts) -> None:
        drafts.content, drafts.etag, drafts.before_write = DRAFT | {"theirs": 1}, "W/2", None

    drafts.responses, drafts.before_write = [(STALE, False)], theirs
    updated = player.run(update(title))
    assert [condition for condition, _ in drafts.puts] == [ETAG, "W/2"]
    assert updated.document.content["theirs"] == 1
    assert updated.document.content["definition"]["displayText"] == "New"
    assert player.slept == [1.0]


def test_a_412_every_time_is_an_error(player: Player, title: UpdateParams) -> None:
    """After five tries the last 412 is raised, retryable."""
    player.respond = drafts = Drafts(DRAFT)
    drafts.responses = [(STALE, False)] * 99
    with pytest.raises(exceptions.PreconditionFailedError) as caught:
        player.run(update(title))
    assert len(drafts.puts) == MAX_TRIES
    assert player.slept == [1.0, 2.0, 3.0, 4.0]
    assert caught.value.retryable is True


@pytest.mark.parametrize(
    "error", [LOST, exceptions.ServerError("x", status=500), exceptions.InvalidResponseError("x", status=200)]
)
@pytest.mark.parametrize(("stored", "writes"), [(True, 1), (False, 2)])
def test_a_lost_response(
    player: Player, title: UpdateParams, error: exceptions.MarketplaceError, writes: int, *, stored: bool
) -> None:
    """After a lost response the draft is read again, and stored again only if it lacks the change."""
    player.respond = drafts = Drafts(DRAFT)
    drafts.responses = [(error, stored)]
    updated = player.run(update(title))
    assert len(drafts.puts) == writes
    assert updated.written is not stored
    assert updated.document.content["definition"]["displayText"] == "New"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.BadRequestError("store", status=400),
        exceptions.PermissionDeniedError("store", status=403),
        exceptions.ConflictError("store", status=409),
        exceptions.RateLimitError("store", status=429),
        exceptions.TransportError("store", text="refused", sent=False),
    ],
)
def test_a_refused_update_is_an_error(player: Player, title: UpdateParams, error: exceptions.MarketplaceError) -> None:
    """An update that the API refuses is not sent again."""
    player.respond = drafts = Drafts(DRAFT)
    drafts.responses = [(error, False)]
    with pytest.raises(type(error)):
        player.run(update(title))
    assert len(drafts.puts) == 1
    assert player.slept == []


def test_without_an_etag(player: Player, title: UpdateParams) -> None:
    """A draft without an ETag is overwritten only with overwrite=True; an ETag that exists is always sent."""
    player.respond = drafts = Drafts(DRAFT, etag=None)
    with pytest.raises(
        exceptions.ConfigurationError, match=r"returned no ETag with the draft.*overwrite=True accepts that"
    ):
        player.run(update(title))
    assert drafts.puts == []
    player.run(update(replace(title, overwrite=True)))
    player.respond = with_etag = Drafts(DRAFT)
    player.run(update(replace(title, overwrite=True)))
    assert [condition for condition, _ in drafts.puts + with_etag.puts] == ["*", ETAG]


def test_a_missing_offer_is_created_only_on_request(player: Player, title: UpdateParams) -> None:
    """A missing offer is created only with create=True, from an empty document and without a condition."""
    player.respond = drafts = Drafts(None)
    with pytest.raises(exceptions.NotFoundError):
        player.run(update(title))
    assert drafts.puts == []
    updated = player.run(update(replace(title, create=True)))
    assert drafts.puts == [(None, b'{"definition": {"displayText": "New"}}')]
    assert updated.written is True


def test_a_creation_whose_response_was_lost(player: Player, title: UpdateParams) -> None:
    """A creation whose response was lost is found by the next read or by a 409."""
    player.respond = drafts = Drafts(None)
    drafts.responses = [(LOST, False), (exceptions.ConflictError("store", status=409), True)]
    updated = player.run(update(replace(title, create=True)))
    assert [condition for condition, _ in drafts.puts] == [None, None]
    assert updated.written is False


def test_a_creation_that_is_refused_every_time(player: Player, title: UpdateParams) -> None:
    """Repeated conflicts over an offer that cannot be read end the creation."""
    player.respond = drafts = Drafts(None)
    drafts.responses = [(exceptions.ConflictError("store", status=409), False)] * 99
    with pytest.raises(exceptions.ConflictError):
        player.run(update(replace(title, create=True)))
    assert len(drafts.puts) == MAX_TRIES
