# SPDX-License-Identifier: Apache-2.0
"""The publish: ordered once, and found again by those who come after."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_cpp.portal import calls, errors
from airflow_provider_cpp.portal.attempt import Attempt
from airflow_provider_cpp.portal.models import OfferRef
from airflow_provider_cpp.portal.publishing import Publish, publish

NEW = {"id": "new-id", "submissionType": "publish", "submissionState": "running", "publishingVersion": 2}
OLD = {"id": "old-id", "submissionType": "publish", "submissionState": "completed", "publishingVersion": 1}
AT_ID = {"location": "/api/publishers/contoso/offers/contoso-vm/operations/new-id"}
BY_NUMBER = {"location": "/api/operations/contoso$contoso-vm$2$preview"}


class Portal:
    """Answers a publish: lists in order (the last one for ever), one answer to the order, one status."""

    def __init__(self, lists: list[Any], order: Any, status: str = "running") -> None:
        self.lists = lists
        self.order = order
        self.status = status

    def __call__(self, call: calls.Call[Any]) -> Any:
        if call.method == "POST":
            return self.order
        if call.path.endswith("/status"):
            return {"status": self.status}
        return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]


def orders(player: Any) -> int:
    return sum(line.startswith("POST") for line in player.sent)


@pytest.mark.parametrize(
    ("headers", "lists"),
    [
        (AT_ID, [[OLD]]),
        ({"operation-location": AT_ID["location"]}, [[OLD]]),
        (BY_NUMBER, [[OLD], [NEW, OLD]]),
        ({}, [[OLD], [OLD], [OLD], [NEW, OLD]]),
        ({}, [[], [{"id": "new-id", "submissionState": "running"}]]),
    ],
)
def test_the_operation_is_found(
    player: Any, offer: OfferRef, make_reply: Any, headers: dict[str, str], lists: list[Any]
) -> None:
    """By its location or as the one new entry of the list, the operation's id is found."""
    player.answer = Portal(lists, make_reply(b"", 202, headers))
    operation = player.run(publish(Publish(offer, (), Attempt(900))))
    assert (operation.operation_id, orders(player)) == ("new-id", 1)


def test_an_operation_with_a_number_may_have_no_id_yet(player: Any, offer: OfferRef, make_reply: Any) -> None:
    """Where the location has a number and the list lags, the location is enough."""
    player.answer = Portal([[OLD]], make_reply(b"", 202, BY_NUMBER))
    operation = player.run(publish(Publish(offer, (), Attempt(900))))
    assert (operation.operation_id, operation.publishing_version, player.slept) == (None, 2, [])


def test_a_list_that_fails_after_the_order_does_not_lose_the_operation(
    player: Any, offer: OfferRef, make_reply: Any
) -> None:
    """Once the order is with the portal, a list that cannot be read is a warning."""
    lists: list[Any] = [[OLD], errors.Refused("list", status=400)]
    player.answer = Portal(lists, make_reply(b"", 202, BY_NUMBER))
    operation = player.run(publish(Publish(offer, (), Attempt(0))))
    assert (operation.location, "going on without its list" in player.told[0][0]) == (BY_NUMBER["location"], True)


@pytest.mark.parametrize(
    "lost",
    [
        errors.Unreachable("publish", text="timed out"),
        errors.ServerFault("publish", status=500),
        errors.BadReply("publish", status=302),
    ],
)
def test_a_lost_answer(player: Any, offer: OfferRef, lost: errors.PortalError) -> None:
    """After a lost answer the list is watched for the settle time; then the try ends, and nothing was sent again."""
    player.answer = Portal([[OLD]], lost)
    with pytest.raises(errors.OutcomeUnknown, match="offer contoso/contoso-vm: it is not known whether") as caught:
        player.run(publish(Publish(offer, (), Attempt(60))))
    assert (caught.value.retryable, orders(player), sum(player.slept)) == (True, 1, 60)


def test_a_lost_answer_is_found_again(player: Any, offer: OfferRef) -> None:
    """After a lost answer, the one new publish is taken for ours."""
    golive = {"id": "other", "submissionType": "goLive", "submissionState": "running"}
    player.answer = Portal([[OLD], [OLD], [golive, NEW, OLD]], errors.ServerFault("publish", status=503))
    assert player.run(publish(Publish(offer, (), Attempt(60)))).operation_id == "new-id"


def test_several_new_operations_are_named(player: Any, offer: OfferRef) -> None:
    """If several are new, it is not guessed which is ours."""
    player.answer = Portal([[OLD], [NEW, NEW | {"id": "other"}]], errors.ServerFault("publish", status=503))
    with pytest.raises(errors.OutcomeUnknown, match=r"several new ones: operation new-id .*operation other"):
        player.run(publish(Publish(offer, (), Attempt(60))))


def test_a_request_that_never_left_leaves_retries(player: Any, offer: OfferRef) -> None:
    """Where no connection was made, nothing was ordered, and trying again is safe."""
    player.answer = Portal([[OLD]], errors.Unreachable("publish", text="refused", sent=False))
    with pytest.raises(errors.Unreachable) as caught:
        player.run(publish(Publish(offer, (), Attempt(60))))
    assert (caught.value.retryable, orders(player)) == (True, 1)


@pytest.mark.parametrize(("status", "sent"), [("running", 0), ("waitingForPublisherReview", 1), ("frobnicating", 0)])
def test_what_runs_is_in_the_way(player: Any, offer: OfferRef, make_reply: Any, status: str, sent: int) -> None:
    """A running operation forbids a publish unless the offer is parked."""
    player.answer = Portal([[NEW | {"id": "theirs"}]], make_reply(b"", 202, AT_ID), status)
    if sent:
        assert player.run(publish(Publish(offer, (), Attempt(60)))).operation_id == "new-id"
    else:
        with pytest.raises(errors.OperationRunning, match=r"operation theirs \(publish, running\) is running"):
            player.run(publish(Publish(offer, (), Attempt(60))))
    assert orders(player) == sent


@pytest.mark.parametrize(
    ("after", "named"), [([NEW], "operation new-id"), ([OLD], "another operation"), ([], "another operation")]
)
def test_the_portals_conflict_names_what_runs(player: Any, offer: OfferRef, after: list[Any], named: str) -> None:
    """A 409 is told with the operation that the list shows by then, or with the portal's words."""
    player.answer = Portal([[OLD], after], errors.Conflict("publish", status=409, text="busy"))
    with pytest.raises(errors.OperationRunning, match=named):
        player.run(publish(Publish(offer, (), Attempt(60))))
