# SPDX-License-Identifier: Apache-2.0
"""The troubleshooting page: each problem is caused for real and logs the lines on the page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from partner_center_emulator import Fault
from support.run_tasks import run_to_end, run_trigger

from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator

PAGE = (Path(__file__).parents[2] / "docs/troubleshooting.md").read_text()
OFFER = "contoso-vm"
NOWHERE = "https://127.0.0.1:1"
NOBODY = "00000000-0000-0000-0000-000000000000"

PLACEHOLDERS = {
    "id": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC",
    "address": r"https://[\w.-]+(?::\d+)?",
    "number": r"\d+",
    "span": r"(?:\d+ days?, )?\d+:\d\d:\d\d",
}
"""The placeholders in the lines of the page; the rest of a line is literal."""

CASES: dict[str, Callable[[Any], None]] = {}


def pattern(line: str) -> re.Pattern[str]:
    """Return the pattern of a line of the page.

    :raises KeyError: if a placeholder is unknown.
    """
    parts = re.split(r"<([^<>]*)>", line)
    return re.compile("".join(PLACEHOLDERS[part] if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def symptoms() -> dict[str, list[str]]:
    """Return the page's symptoms, each with its lines, unwrapped."""
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    blocks = {
        part.splitlines()[0]: re.findall(r"^```text\n(.*?)^```", part, re.MULTILINE | re.DOTALL) for part in sections
    }
    return {name: [re.sub(r"\n +", " ", line.strip()) for line in lines] for name, lines in blocks.items()}


def symptom(heading: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Register the decorated function as the cause of a symptom."""

    def register(cause: Callable[[Any], None]) -> Callable[[Any], None]:
        CASES[heading] = cause
        return cause

    return register


# --- nothing happens


@symptom("A task stays deferred and logs nothing")
def _no_triggerer(runner: Any) -> None:
    runner.serve()
    sensor = runner.sensor(operation=runner.published())
    runner.record(lambda: sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, runner.context))
    runner.airflow("jobs", "check", "--job-type", "TriggererJob")


@symptom("A task stays deferred and its last log line is days old")
def _long_certification(runner: Any) -> None:
    emulator = runner.serve()
    operation = runner.published()
    emulator.clock.advance(days=1)

    def deferred() -> None:
        with pytest.raises(TaskDeferred):
            runner.sensor(operation=operation).execute(runner.context)

    runner.record(deferred)


@symptom("The triggerer cannot import the package")
def _not_on_the_triggerer(runner: Any) -> None:
    runner.serve()
    sensor = runner.sensor(operation=runner.published())
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(runner.context)
    classpath, _ = deferral.value.trigger.serialize()
    program = (
        "import json, sys, traceback\n"
        "from airflow.jobs.triggerer_job_runner import TriggerRunner\n"
        "try: TriggerRunner().get_trigger_by_classpath(sys.argv[1])\n"
        "except ImportError as error: print(json.dumps(traceback.format_exception(error)))"
    )
    printed = runner.python("-c", program, classpath, is_installed=False)
    line = next(line for line in printed if line.startswith("["))
    reason = {"error": "Trigger failure", "traceback": json.loads(line)}
    runner.record(lambda: sensor.resume_execution("__fail__", reason, runner.context))


@symptom("The connection type is not in the list")
def _not_on_the_api_server(runner: Any) -> None:
    runner.airflow("providers", "get", "airflow-provider-cpp", is_installed=False)


@symptom("The Test button is disabled")
def _test_disabled(runner: Any) -> None:
    runner.airflow("connections", "test", "cloud_partner_portal_default")


# --- connection and sign-in


@symptom("The connection does not exist")
def _no_connection(runner: Any) -> None:
    runner.publish()


@symptom("The connection is incomplete")
def _lacks_fields(runner: Any) -> None:
    runner.serve()
    runner.connect(login=None, password=None, extra={"tenant_id": None})
    runner.publish()


@symptom("No publisher is set")
def _no_publisher(runner: Any) -> None:
    runner.serve()
    runner.connect(extra={"publisher_id": None})
    runner.publish()


@symptom("The client secret is rejected")
def _wrong_secret(runner: Any) -> None:
    runner.serve()
    runner.connect(password="the secret's id")
    runner.wait(offer_id=OFFER)


@symptom("The application or its tenant is not found")
def _unknown_application(runner: Any) -> None:
    runner.serve()
    runner.connect(login=NOBODY)
    runner.wait(offer_id=OFFER)
    runner.connect(extra={"tenant_id": NOBODY})
    runner.wait(offer_id=OFFER)


@symptom("The API responds with 401")
def _token_not_accepted(runner: Any) -> None:
    runner.serve().inject(Fault("response", "submissions", times=2, status=401))
    runner.publish()


@symptom("The API responds with 403")
def _not_a_user(runner: Any) -> None:
    runner.serve()
    runner.publish(publisher_id="fabrikam")


@symptom("An access token is rejected")
def _old_token(runner: Any) -> None:
    emulator = runner.serve()
    token = emulator.connection_for("access_token")["password"]
    runner.connect(login=None, password=token, extra={"auth": "access_token"})
    emulator.revoke_tokens()
    runner.publish()


@symptom("A changed connection does not work")
def _broken_while_waiting(runner: Any) -> None:
    emulator = runner.serve()
    sensor = runner.sensor(operation=runner.published(), timeout=timedelta(seconds=0.5))
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(runner.context)

    def break_it() -> None:
        emulator.rotate_secret()
        emulator.revoke_tokens()
        runner.connect(password="old", extra={"tenant_id": None})

    runner.record(lambda: runner.meanwhile(lambda: run_trigger(deferral.value), "operation", break_it))


# --- network


@symptom("The API or the sign-in cannot be reached")
def _unreachable(runner: Any) -> None:
    emulator = runner.serve()
    runner.connect(host=NOWHERE)
    runner.publish()
    runner.connect(extra={"authority": NOWHERE})
    runner.publish()
    runner.connect(extra={"request_timeout": 0.2})
    emulator.inject(Fault("hang", "submissions", seconds=0.5))
    runner.publish()


@symptom("The proxy cannot be reached")
def _no_proxy(runner: Any) -> None:
    runner.serve()
    runner.connect(extra={"proxies": {"https": "http://me:hunter2@127.0.0.1:1"}})
    runner.publish()


@symptom("The certificate is not trusted")
def _untrusted(runner: Any) -> None:
    emulator = runner.serve()
    runner.connect(extra={"verify": None})
    runner.publish()
    token = emulator.connection_for("access_token")["password"]
    runner.connect(login=None, password=token, extra={"auth": "access_token", "verify": None})
    runner.publish()


@symptom("The API asks for fewer requests")
def _rate_limited(runner: Any) -> None:
    emulator = runner.serve()
    emulator.inject(Fault("response", "publish", status=429))
    runner.publish()
    operation = runner.published()
    emulator.inject(Fault("response", "operation", status=429))
    runner.wait(operation=operation)


@symptom("The API fails or is unavailable while a task waits")
def _unavailable(runner: Any) -> None:
    emulator = runner.serve()
    operation = runner.published()
    emulator.inject(Fault("response", "operation", times=999, status=503, body="<html><h1>Service unavailable</h1>"))
    runner.wait(operation=operation, timeout=timedelta(seconds=30), poll_failure_tolerance=0.2)


# --- publishing


@symptom("Another operation is in progress")
def _somebody_publishes(runner: Any) -> None:
    runner.serve().person(OFFER, "publish")
    runner.publish()
    runner.serve(lag_list=9)
    runner.published()
    runner.publish()


@symptom("The publish is rejected with a conflict although nothing is in progress")
def _conflict_with_another_cause(runner: Any) -> None:
    body = '{"error": {"code": "Conflict", "message": "The draft has no changes"}}'
    runner.serve(history="succeeded").inject(Fault("response", "publish", times=2, status=409, body=body))
    runner.publish()


@symptom("An earlier publish of the task does not show, and the next one is rejected")
def _own_publish_is_not_listed(runner: Any) -> None:
    emulator = runner.serve()
    status = '{"status": "neverPublished"}'
    for route, body in (("submissions", "[]"), ("status", status)):
        emulator.inject(Fault("response", route, times=999, status=200, body=body))
    emulator.inject(Fault("drop", "publish", after=True))
    runner.publish()
    runner.later_try(2)
    runner.publish()


@symptom("It is not known whether the task is retried or was cleared")
def _retried_or_cleared(runner: Any) -> None:
    emulator = runner.serve()
    runner.publish()
    emulator.clock.advance(days=5)
    runner.later_try(2)
    runner.publish(retries=1)


@symptom("A clear emptied the task's state")
def _emptied_store(runner: Any) -> None:
    runner.serve()
    runner.later_try(2)
    runner.context["ti"].max_tries, runner.context["dag_run"].clear_number = 3, 1
    runner.publish()


@symptom("It is not known whether the publish was accepted, and the task asks for a manual check")
def _an_earlier_try_may_have_submitted(runner: Any) -> None:
    runner.serve()
    runner.published_preview()
    runner.later_try(2, checkpoints=False)
    runner.publish()


@symptom("It is not known whether the publish was accepted, and a retry checks again")
def _lost_response(runner: Any) -> None:
    runner.serve(history="succeeded").inject(Fault("response", "publish", status=502))
    runner.publish()


@symptom("The task continues with an earlier try's operation")
def _attached(runner: Any) -> None:
    runner.serve()
    runner.publish()
    runner.later_try(2)
    runner.publish()
    runner.later_try(2, checkpoints=False)
    runner.publish()


@symptom("The draft is rejected")
def _invalid_draft(runner: Any) -> None:
    runner.serve("invalid")
    runner.publish()


@symptom("The offer does not exist")
def _misspelt_offer(runner: Any) -> None:
    runner.serve()
    runner.publish(offer_id="contoso-vn")


@symptom("The offers of a mapped task changed their positions")
def _shifted_index(runner: Any) -> None:
    runner.serve().add_offer("contoso-db")
    runner.publish()
    runner.later_try(2)
    runner.publish(offer_id="contoso-db")


# --- waiting


@symptom("Certification failed")
def _rejected(runner: Any) -> None:
    emulator = runner.serve("blocked-then-rejected")
    operation = runner.published()
    emulator.clock.advance(days=3)
    runner.wait(operation=operation)


@symptom("A step is blocked")
def _blocked(runner: Any) -> None:
    emulator = runner.serve("blocked-then-rejected")
    operation = runner.published()
    emulator.clock.advance(days=2)
    runner.wait(operation=operation)


@symptom("The publication was canceled")
def _canceled(runner: Any) -> None:
    emulator = runner.serve("canceled")
    operation = runner.published()
    emulator.clock.advance(days=3)
    runner.wait(operation=operation)


@symptom("The wait ends at once with the status of the previous publication")
def _last_publication(runner: Any) -> None:
    runner.serve(history="succeeded", lag_status=1)
    runner.published()
    runner.wait(offer_id=OFFER)


@symptom("The wait timed out")
def _timed_out(runner: Any) -> None:
    emulator = runner.serve()
    operation = runner.published()
    emulator.clock.advance(days=1)
    runner.wait(operation=operation)


@symptom("The operation is None")
def _nothing_returned(runner: Any) -> None:
    sensor = runner.sensor(operation="{{ nothing }}")
    sensor.operation = None  # as rendering leaves it
    runner.run(sensor)


@symptom("The operation is one field of an operation")
def _expanded(runner: Any) -> None:
    runner.serve()
    operation = runner.published()
    runner.wait(operation=next(iter(operation.items())))
    runner.wait(operation=[operation, operation])


@symptom("The API does not know the operation")
def _unknown_operation(runner: Any) -> None:
    runner.serve()
    changes = {"operation_id": NOBODY, "location": None, "submitted_at": "2026-11-03T09:00:00+00:00"}
    runner.wait(operation=runner.published() | changes)


@symptom("An unknown status")
def _unknown_status(runner: Any) -> None:
    emulator = runner.serve("unknown-status")
    operation = runner.published()
    emulator.clock.advance(days=1)
    runner.wait(operation=operation)


@symptom("Releases differ")
def _other_release(runner: Any) -> None:
    runner.serve()
    sensor = runner.sensor(operation=runner.published())
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(runner.context)
    deferral.value.trigger.wait_spec |= {"version": 99}
    for event in (run_trigger(deferral.value), None):
        arguments = {"event": event}
        runner.record(
            lambda arguments=arguments: sensor.resume_execution("execute_complete", arguments, runner.context)
        )
    runner.later_try(2)
    runner.context["task_state_store"].set("airflow_provider_cpp.checkpoint", {"version": 2})
    runner.publish()


# --- going live and canceling


@symptom("Nothing is awaiting sign-off")
def _too_early(runner: Any) -> None:
    runner.serve()
    runner.run(GoLiveOfferOperator(task_id="go_live", operation=runner.published(), settle_time=0))


@symptom("Another publication is awaiting sign-off")
def _another_awaits_sign_off(runner: Any) -> None:
    runner.serve()
    operation = runner.published_preview()
    runner.published_preview()
    runner.run(GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0))


@symptom("The go-live is not accepted")
def _still_awaits_sign_off(runner: Any) -> None:
    emulator = runner.serve()
    operation = runner.published_preview()
    emulator.inject(Fault("drop", "golive", times=2))
    runner.run(GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0))


@symptom("Another operation than the one to cancel is in progress")
def _another_in_progress(runner: Any) -> None:
    runner.serve()
    operation = runner.published_preview()
    runner.published()
    runner.run(CancelOfferOperator(task_id="cancel", operation=operation))


@symptom("The cancel takes long")
def _slow_cancel(runner: Any) -> None:
    runner.serve(cancel_takes=timedelta(hours=1))
    runner.run(CancelOfferOperator(task_id="cancel", operation=runner.published(), timeout=0))


# --- changing a draft


def add_image(runner: Any, plan_id: str, version: str, expiry: str) -> None:
    url = f"https://contosoimages.blob.core.windows.net/vhds/2.vhd?sv=2018-03-28&sr=c&sp=rl&se={expiry}&sig=example"
    runner.run(
        AddImageVersionOperator(task_id="add_image", offer_id=OFFER, plan_id=plan_id, version=version, os_disk_url=url)
    )


@symptom("The plan does not exist")
def _no_plan(runner: Any) -> None:
    runner.serve()
    add_image(runner, "golden", "1.0.1", "2100-01-01")


@symptom("The version exists already with another image")
def _another_image(runner: Any) -> None:
    runner.serve()
    add_image(runner, "gold", "1.0.0", "2100-01-01")


@symptom("The image URL expires too early")
def _expired_url(runner: Any) -> None:
    runner.serve()
    add_image(runner, "gold", "1.0.1", "2026-01-01")


@symptom("The API returns no ETag")
def _no_etag(runner: Any) -> None:
    runner.serve(etag_on_get=False)
    runner.run(UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"definition": {"displayText": "new"}}))


@symptom("Somebody else keeps changing the draft")
def _somebody_writes(runner: Any) -> None:
    emulator = runner.serve()
    task = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"definition": {"displayText": "new"}})

    def somebody_writes() -> None:
        emulator.clock.advance(hours=1)
        emulator.add_offer(OFFER)

    runner.record(lambda: runner.meanwhile(lambda: run_to_end(task, runner.context), "put", somebody_writes))


# --- the page


def test_every_symptom_of_the_page_has_its_cause() -> None:
    """Each symptom of the page has lines and a cause here, and each cause has a symptom."""
    lines_by_symptom = symptoms()
    assert sorted(lines_by_symptom) == sorted(CASES)
    assert [name for name, lines in lines_by_symptom.items() if not lines] == []


@pytest.mark.parametrize("heading", CASES)
def test_the_page_quotes_the_actual_lines(runner: Any, heading: str, request: pytest.FixtureRequest) -> None:
    """Each line of a symptom is logged word for word when its problem is caused."""
    lines = symptoms()[heading]
    if any(line.startswith("$ airflow jobs") for line in lines):
        request.getfixturevalue("airflow_home")
    CASES[heading](runner)
    missing = [line for line in lines if not any(pattern(line).fullmatch(logged) for logged in runner.lines)]
    assert missing == [], "\n".join(["logged instead:", *runner.lines])


@pytest.mark.parametrize(
    ("line", "logged", "fits"),
    [
        ("operation <id> is there", f"operation {NOBODY} is there", True),
        ("operation <id> is there", "operation 7 is there", False),
        ("changed <time>", "changed 2026-11-24 15:12:17 UTC", True),
        ("it ran. <number> %", "it ran. 40 %", True),
        ("it ran. <number> %", "it ran, 40 %", False),
        ("for <span>, at <address>", "for 1 day, 6:00:00, at https://127.0.0.1:8443", True),
        ("a line", "a line and more", False),
    ],
)
def test_a_placeholder_matches_its_kind_only(line: str, logged: str, *, fits: bool) -> None:
    """A placeholder matches only its kind of value, and the rest of a line must match exactly."""
    assert bool(pattern(line).fullmatch(logged)) is fits


def test_an_unknown_placeholder_is_an_error() -> None:
    """A line with an undefined placeholder is an error."""
    with pytest.raises(KeyError, match="whatever"):
        pattern("a line with <whatever> in it")


def test_an_operation_written_by_hand_can_be_waited_for(runner: Any) -> None:
    """The DAG at the end of the page waits for an operation that is known only by its id."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, "troubleshooting.md", "exec"), names)  # noqa: S102 - it is our own page
    runner.serve()
    operation = names["OPERATION"] | {"operation_id": runner.published_preview()["operation_id"]}
    dag = names["go_on"]()
    for task_id in ("preview", "live"):
        sensor = dag.get_task(task_id)
        sensor.operation, sensor.timeout, sensor.poll_interval = operation, 0, 0.01
        runner.run(sensor)
    lines = [line for line in runner.lines if "its preview is ready" in line or "gave up waiting for live" in line]
    assert len(lines) == 2
    assert sensor.operation["operation_id"] == operation["operation_id"]
