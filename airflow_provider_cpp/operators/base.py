# SPDX-License-Identifier: Apache-2.0
"""What the operators have in common: which offer, what earlier tries left behind, and the wait afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCOM_RETURN_KEY, BaseOperator, conf

from airflow_provider_cpp.completion import airflow_errors, ended_by_airflow, finish, give_up, resume
from airflow_provider_cpp.errors import OperationRunning
from airflow_provider_cpp.hooks.base import DEFAULT_SETTLE_TIME, MarketplaceHook
from airflow_provider_cpp.hooks.connections import DEFAULT_CONN_ID, hook_for
from airflow_provider_cpp.links import PORTAL_PAGE_KEY, MarketplaceLink, PublisherPortalLink, page_of
from airflow_provider_cpp.rules.attempt import Attempt, Note
from airflow_provider_cpp.rules.flows import Flow
from airflow_provider_cpp.rules.models import OfferDocument, OfferRef
from airflow_provider_cpp.rules.operations import Operation
from airflow_provider_cpp.rules.progress import Memory
from airflow_provider_cpp.rules.verdict import IDLE, Target, default_until
from airflow_provider_cpp.rules.watch import Watch
from airflow_provider_cpp.rules.watching import wait
from airflow_provider_cpp.triggers.offer_status import OfferStatusTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

NOTE_KEY = "airflow_provider_cpp.order"
FIRST_TRY_KEY = "airflow_provider_cpp.first_try"
"""What the first try keeps, so that later ones know: all tries could leave a note, so none means that there was no order."""

NOTE_LASTS = timedelta(days=180)
"""Longer than Airflow keeps a task's state by default: a publish and its waits may take weeks."""

DEFAULT_TIMEOUT = timedelta(days=14)
DEFAULT_TOLERANCE = timedelta(hours=6)
SLACK = timedelta(hours=1)
"""The trigger keeps the deadline itself; Airflow's own is for a deployment whose triggerer never comes."""


class OfferOperator(BaseOperator):
    """A task on one offer; the base of the others.

    :param offer_id: the offer.
    :param publisher_id: its publisher; the connection's if None.
    :param conn_id: the connection; its type says which API it is.
    """

    template_fields: Sequence[str] = ("conn_id", "publisher_id", "offer_id")
    operator_extra_links = (MarketplaceLink(), PublisherPortalLink())
    ui_color = "#cfe3f5"

    def __init__(
        self,
        *,
        offer_id: str,
        publisher_id: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.offer_id = offer_id
        self.publisher_id = publisher_id
        self.conn_id = conn_id
        self.link_facts: dict[str, Any] = {}

    @property
    def hook(self) -> MarketplaceHook:
        """The hook that the connection's type calls for."""
        return hook_for(self.conn_id)

    def named_offer(self, operation: Operation | None = None) -> OfferRef:
        """Return the offer: the one that is named, or else the operation's."""
        given = operation.offer if operation is not None else None
        publisher_id = self.publisher_id or (given.publisher_id if given else None)
        return self.hook.offer(self.offer_id or (given.offer_id if given else ""), publisher_id)

    def read_operation(self, value: Any, *, wanted: bool) -> Operation | None:
        """Read an argument that holds an operation.

        :param wanted: whether one was given; a task that was skipped, and so returned None, must not mean any operation.
        :raises ConfigurationError: if it is no operation, or of another API than the connection's.
        """
        if value is None and not wanted:
            return None
        operation = Operation.from_json(value)  # before the connection is asked for
        return self.hook.operation(operation)

    def attempt(self, context: Context, settle_time: float, *, waits_for_others: bool = False) -> Attempt:
        """Gather what this try can know of those before it."""
        ti, store = context["ti"], context.get("task_state_store")
        run = getattr(ti, "max_tries", 0) or 0
        is_first = getattr(ti, "try_number", 1) <= 1
        if is_first and store is not None:
            store.set(FIRST_TRY_KEY, True, retention=NOTE_LASTS)
        return Attempt(
            settle_time=settle_time,
            is_first=is_first,
            run=run,
            was_cleared=run > (self.retries or 0),
            can_note=store is not None,
            earlier_could_note=is_first or (store is not None and store.get(FIRST_TRY_KEY) is not None),
            note=Note.from_payload(store.get(NOTE_KEY)) if store is not None else None,
            since=context["dag_run"].start_date,
            waits_for_others=waits_for_others,
        )

    def keeper(self, context: Context) -> Callable[[dict[str, Any] | None], None]:
        """Return what keeps a note for later tries, where this version of Airflow has a place for it."""
        store = context.get("task_state_store")

        def keep(note: dict[str, Any] | None) -> None:
            if store is None:
                return
            if note is None:
                store.delete(NOTE_KEY)
            else:
                store.set(NOTE_KEY, note, retention=NOTE_LASTS)

        return keep

    def leave_page(self, context: Context, document: OfferDocument | None) -> None:
        """Leave the address of the offer's page for the link in Airflow's UI, where the portal told it."""
        page = page_of(document.portal_page if document else None, self.hook.get_settings().base_url)
        if page is not None:
            self.link_facts[PORTAL_PAGE_KEY] = page
            context["ti"].xcom_push(key=PORTAL_PAGE_KEY, value=page)


class OrderOperator(OfferOperator):
    """A task that gives an order and can wait for its effect; the base of publish and go-live.

    :param wait_for_completion: whether to wait for its effect, instead of leaving that to a sensor.
    :param deferrable: whether waits are the triggerer's; Airflow's ``[operators] default_deferrable`` if None.
    :param poll_interval: seconds between two looks of a wait; if None, it paces itself by the step that it sees.
    :param timeout: after how long a wait gives up; seconds or a timedelta, 14 days by default.
    :param poll_failure_tolerance: for how long the portal may fail to answer a wait; seconds or a timedelta, 6 hours
        by default.
    :param settle_time: seconds after which an order whose answer was lost, and that shows nowhere, was not taken.
    """

    if_running = "fail"

    def __init__(  # noqa: PLR0913 - an operator's arguments are its user interface, all by name
        self,
        *,
        wait_for_completion: bool = False,
        deferrable: bool | None = None,
        poll_interval: float | None = None,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        poll_failure_tolerance: float | timedelta = DEFAULT_TOLERANCE,
        settle_time: float = DEFAULT_SETTLE_TIME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        default = bool(conf.getboolean("operators", "default_deferrable", fallback=False))
        self.wait_for_completion = wait_for_completion
        self.deferrable = default if deferrable is None else deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.poll_failure_tolerance = poll_failure_tolerance
        self.settle_time = settle_time

    def order(self, context: Context, attempt: Attempt) -> Flow[Operation]:
        """Return the flow that gives the order."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, str | None]:
        """Give the order, once, and wait if asked to."""
        with airflow_errors():
            attempt = self.attempt(context, self.settle_time, waits_for_others=self.if_running == "wait")
            operation = self._operation = self._ordered(context, attempt)
            self.log.info("offer %s: %s is operation %s", operation.offer, operation.kind, operation.name)
            value = self.link_facts[XCOM_RETURN_KEY] = operation.to_json()
            if self.wait_for_completion:
                if self.do_xcom_push:
                    context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=value)
                deadline = datetime.now(timezone.utc) + as_timedelta(self.timeout)
                self._wait(operation.offer, default_until(operation), operation, deadline)
        return value

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, str | None]:
        """Go on after a deferred wait.

        :param event: what the trigger ended with.
        """
        operation = resume(event).operation
        if operation is None:
            return self.execute(context)  # it was the wait for somebody else's operation to end: now it is our turn
        page = context["ti"].xcom_pull(task_ids=self.task_id, key=PORTAL_PAGE_KEY)
        self.link_facts |= {XCOM_RETURN_KEY: operation, PORTAL_PAGE_KEY: page}
        return operation

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume; where Airflow ended the wait itself, say why rather than what Airflow calls that."""
        if (word := ended_by_airflow(next_method, next_kwargs)) is not None:
            given = getattr(self, "operation", None)
            with airflow_errors():
                offer = self.named_offer(Operation.from_json(given) if given is not None else None)
            give_up(str(offer), None, word, self.execution_timeout)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Say what a killed task leaves behind; it is not canceled, since a signal does not know a person."""
        operation: Operation | None = getattr(self, "_operation", None)
        if operation is not None:
            self.log.warning(
                "offer %s: operation %s goes on at the portal; CancelOfferOperator, or a person there, can cancel it",
                operation.offer,
                operation.name,
            )

    def _ordered(self, context: Context, attempt: Attempt) -> Operation:
        # One deadline for all that is waited for: others may take turns for ever.
        began = getattr(context["ti"], "start_date", None) or datetime.now(timezone.utc)
        deadline = began + as_timedelta(self.timeout)
        while True:
            try:
                flow = self.order(context, attempt)
                return self.hook.run(flow, self.keeper(context))
            except OperationRunning as running:
                if self.if_running != "wait" or datetime.now(timezone.utc) >= deadline:
                    raise
                self.log.info("%s; waiting for it to end", running)
                self._wait(self.named_offer(), IDLE, None, deadline)

    def _wait(self, offer: OfferRef, until: Target, operation: Operation | None, deadline: datetime) -> None:
        watch = Watch(
            offer=offer,
            until=until,
            deadline=deadline,
            operation=operation,
            poll_interval=self.poll_interval,
            poll_failure_tolerance=as_timedelta(self.poll_failure_tolerance).total_seconds(),
            answered=True,
            api=self.hook.api.name,
        )
        if self.deferrable:
            memory = Memory(answered=True, since=datetime.now(timezone.utc))
            trigger = OfferStatusTrigger(self.conn_id, watch.to_payload(), memory.to_payload())
            self.defer(trigger=trigger, method_name="execute_complete", timeout=as_timedelta(self.timeout) + SLACK)
        hook = self.hook
        finish(hook.run(wait(hook.api, watch)))


def as_timedelta(value: float | timedelta) -> timedelta:
    """Return a span of time that may be given in seconds."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)
