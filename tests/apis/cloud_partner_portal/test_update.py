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

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import endpoints
from airflow_provider_cpp.apis.cloud_partner_portal.update import MAX_TRIES, update
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
    """A portal that keeps one draft: answers reads with it, and stores it unless told what to answer instead.

    :ivar put: what was stored: the condition and the body.
    :ivar instead: what the next writes are answered with; an error under "lost" comes after storing.
    """

    def __init__(self, make_reply: Any, content: dict[str, Any] | None, etag: str | None = ETAG) -> None:
        self.make_reply = make_reply
        self.content = copy.deepcopy(content)
        self.etag = etag
        self.put: list[tuple[str | None, bytes]] = []
        self.instead: list[tuple[exceptions.MarketplaceError, bool]] = []
        self.before_write: Any = None

    def __call__(self, call: endpoints.Request[Any]) -> Any:
        if call.method == "PUT":
            assert call.body is not None
            self.put.append((call.headers.get("If-Match"), call.body))
            error, stores = self.instead.pop(0) if self.instead else (None, True)
            if self.before_write is not None:
                self.before_write(self)
            if stores:
                self.content = json.loads(call.body)
            if error is not None:
                return error
        if self.content is None:
            return exceptions.NotFoundError("draft", status=404)
        headers = {"etag": self.etag} if self.etag else {}
        return self.make_reply(self.content, 200, headers)


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
    """Each example of the RFC comes out as it says, one level down, where anything may stand."""
    before = {"x": copy.deepcopy(document), "y": 1}
    assert merge_patch({"x": patch})(before) == {"x": expected, "y": 1}
    assert before == {"x": document, "y": 1}


def test_a_null_takes_a_key_out() -> None:
    """The one example whose result is nothing takes the key out, one level down."""
    assert merge_patch({"x": None, "z": None})({"x": {"a": "foo"}, "y": 1}) == {"y": 1}


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=3),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(
    document=some.dictionaries(some.sampled_from("abcd"), JSON), patch=some.dictionaries(some.sampled_from("abc"), JSON)
)
def test_a_patch_is_done_once(document: dict[str, Any], patch: dict[str, Any]) -> None:
    """A patch changes neither itself nor the document, does nothing the second time, and leaves other keys alone."""
    change, frozen = merge_patch(patch), copy.deepcopy((document, patch))
    after = change(document)
    assert after is not None
    assert (document, patch) == frozen
    assert change(after) == after
    assert {key: after[key] for key in after if key not in patch} == {
        key: document[key] for key in document if key not in patch
    }


def test_everything_else_stays(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """Keys that nobody modelled, nulls and numbers of eighteen digits are stored as they were, under the draft's ETag."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    updated = player.run(update(title))
    expected = copy.deepcopy(DRAFT)
    expected["definition"]["displayText"] = "New"  # type: ignore[index]
    (condition, body), *others = drafts.put
    assert (condition, json.loads(body), others) == (ETAG, expected, [])
    assert b"636576975611768314" in body
    assert (updated.written, updated.document) == (True, OfferDocument(expected, ETAG))


def test_text_goes_out_as_it_is(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Neither the ampersands of an image's URL nor letters beyond ASCII are escaped in the body."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    player.run(update(UpdateParams(offer, merge_patch({"url": "https://a/b?sv=1&sig=x%3D&se=<é>"}))))
    assert '"https://a/b?sv=1&sig=x%3D&se=<é>"'.encode() in drafts.put[0][1]


def test_a_draft_that_is_right_is_not_written(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """A change that changes nothing writes nothing, needs no ETag, and says so."""
    content = copy.deepcopy(DRAFT) | {"definition": {"displayText": "New"}}
    player.answer = drafts = Drafts(make_reply, content, etag=None)
    updated = player.run(update(title))
    assert (updated.written, updated.document.content, drafts.put) == (False, content, [])
    assert "nothing was written" in player.told[0][0]


@pytest.mark.parametrize(("there", "wanted"), [(1, True), (0, False), (True, 1), ([1], [True])])
def test_true_is_not_one(player: Any, offer: OfferRef, make_reply: Any, there: Any, wanted: Any) -> None:
    """Values that Python takes for equal, and JSON does not, are written."""
    player.answer = drafts = Drafts(make_reply, {"x": there})
    assert player.run(update(UpdateParams(offer, merge_patch({"x": wanted})))).written
    assert json.dumps(json.loads(drafts.put[0][1])["x"]) == json.dumps(wanted)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_change_may_work_in_place_or_return(player: Any, offer: OfferRef, make_reply: Any, in_place: bool) -> None:  # noqa: FBT001
    """A callable changes the document that it gets, or returns another one."""

    def change(document: dict[str, Any]) -> dict[str, Any] | None:
        if not in_place:
            return {**document, "x": 1}
        document["x"] = 1
        return None

    player.answer = drafts = Drafts(make_reply, DRAFT)
    assert player.run(update(UpdateParams(offer, change))).written
    assert json.loads(drafts.put[0][1]) == DRAFT | {"x": 1}


def circle() -> dict[str, Any]:
    document: dict[str, Any] = {}
    document["x"] = document
    return document


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ([1], "the change left list"),
        ("text", "the change left str"),
        (7, "the change left int"),
        (True, "the change left bool"),
        ({}, "the change left an empty document"),
        ([], "the change left an empty document"),
        (False, "the change left an empty document"),
        ({"x": datetime(2026, 1, 1, tzinfo=timezone.utc)}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": {1, 2}}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": 1, 2: 3}, r"what JSON cannot hold \(TypeError\)"),
        ({"x": float("nan")}, r"what JSON cannot hold \(ValueError\)"),
        ({"x": "\ud800"}, r"what JSON cannot hold \(UnicodeEncodeError\)"),
        (circle(), "what JSON cannot hold"),
    ],
)
def test_a_change_that_leaves_rubbish(player: Any, offer: OfferRef, make_reply: Any, returned: Any, said: str) -> None:
    """What is no JSON object, or could not be written as one, is not stored."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    with pytest.raises(exceptions.ConfigurationError, match=said):
        player.run(update(UpdateParams(offer, lambda _: returned)))
    assert drafts.put == []


def test_what_a_change_raises_is_its_own(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """A callable's own error goes through as it is, and nothing is stored."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    with pytest.raises(KeyError):
        player.run(update(UpdateParams(offer, lambda document: document["no such key"])))
    assert drafts.put == []


def test_somebody_else_wrote(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """After a 412 the change is made anew on what is there by then, under its ETag, and theirs is kept."""
    player.answer = drafts = Drafts(make_reply, DRAFT)

    def theirs(portal: Drafts) -> None:
        portal.content, portal.etag, portal.before_write = DRAFT | {"theirs": 1}, "W/2", None

    drafts.instead, drafts.before_write = [(STALE, False)], theirs
    updated = player.run(update(title))
    assert ([condition for condition, _ in drafts.put], updated.document.content["theirs"]) == ([ETAG, "W/2"], 1)
    assert updated.document.content["definition"]["displayText"] == "New"
    assert player.slept == [1.0]


def test_somebody_else_writes_every_time(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """After five tries the last 412 is let through, which another try of the task may heal."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    drafts.instead = [(STALE, False)] * 99
    with pytest.raises(exceptions.PreconditionFailedError) as caught:
        player.run(update(title))
    assert (len(drafts.put), player.slept, caught.value.retryable) == (MAX_TRIES, [1.0, 2.0, 3.0, 4.0], True)


@pytest.mark.parametrize(
    "error", [LOST, exceptions.ServerError("x", status=500), exceptions.InvalidResponseError("x", status=200)]
)
@pytest.mark.parametrize(("stored", "writes"), [(True, 1), (False, 2)])
def test_a_lost_answer(
    player: Any,
    title: UpdateParams,
    make_reply: Any,
    error: exceptions.MarketplaceError,
    stored: bool,  # noqa: FBT001
    writes: int,
) -> None:
    """After a lost answer the draft is read again: it is right already, or it is stored once more."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    drafts.instead = [(error, stored)]
    updated = player.run(update(title))
    assert (len(drafts.put), updated.written) == (writes, not stored)
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
def test_a_refusal_is_let_through(
    player: Any, title: UpdateParams, make_reply: Any, error: exceptions.MarketplaceError
) -> None:
    """What the portal refuses is not tried again."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    drafts.instead = [(error, False)]
    with pytest.raises(type(error)):
        player.run(update(title))
    assert (len(drafts.put), player.slept) == (1, [])


def test_without_an_etag(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """A draft without an ETag is stored over only where that was asked for; an ETag that is there is used all the same."""
    player.answer = drafts = Drafts(make_reply, DRAFT, etag=None)
    with pytest.raises(
        exceptions.ConfigurationError, match=r"gave no ETag with the draft.*overwrite=True accepts that"
    ):
        player.run(update(title))
    assert drafts.put == []
    player.run(update(replace(title, overwrite=True)))
    player.answer = with_etag = Drafts(make_reply, DRAFT)
    player.run(update(replace(title, overwrite=True)))
    assert [condition for condition, _ in drafts.put + with_etag.put] == ["*", ETAG]


def test_an_offer_that_is_not_there(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """An offer is created only where that was asked for, out of an empty document and without a condition."""
    player.answer = drafts = Drafts(make_reply, None)
    with pytest.raises(exceptions.NotFoundError):
        player.run(update(title))
    assert drafts.put == []
    updated = player.run(update(replace(title, create=True)))
    assert (drafts.put, updated.written) == ([(None, b'{"definition": {"displayText": "New"}}')], True)


def test_a_creation_whose_answer_was_lost(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """A creation that was stored though its answer was lost is found by the next reading, or by the portal's conflict."""
    player.answer = drafts = Drafts(make_reply, None)
    drafts.instead = [(LOST, False), (exceptions.ConflictError("store", status=409), True)]
    updated = player.run(update(replace(title, create=True)))
    assert ([condition for condition, _ in drafts.put], updated.written) == ([None, None], False)


def test_a_creation_that_is_refused_every_time(player: Any, title: UpdateParams, make_reply: Any) -> None:
    """A conflict over an offer that never shows ends the creation."""
    player.answer = drafts = Drafts(make_reply, None)
    drafts.instead = [(exceptions.ConflictError("store", status=409), False)] * 99
    with pytest.raises(exceptions.ConflictError):
        player.run(update(replace(title, create=True)))
    assert len(drafts.put) == MAX_TRIES


def test_an_update_without_a_change(player: Any, make_reply: Any, offer: OfferRef) -> None:
    """What changes nothing is an error of the task, and nothing is stored."""
    player.answer = drafts = Drafts(make_reply, DRAFT)
    with pytest.raises(exceptions.ConfigurationError, match="give patch or change"):
        player.run(update(UpdateParams(offer)))
    assert drafts.put == []
