# SPDX-License-Identifier: Apache-2.0
"""The page of troubles: each is caused for real, and the lines that stand there are the ones that come."""

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
"""What a line of the page may leave open; everything else stands there as it comes."""

CASES: dict[str, Callable[[Any], None]] = {}


def pattern(line: str) -> re.Pattern[str]:
    """Read a line of the page.

    :raises KeyError: for a placeholder that is none.
    """
    parts = re.split(r"<([^<>]*)>", line)
    return re.compile("".join(PLACEHOLDERS[part] if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def symptoms() -> dict[str, list[str]]:
    """Return the page's symptoms, each with its lines; what is wrapped there is one line again."""
    sections = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
    blocks = {
        part.splitlines()[0]: re.findall(r"^```text\n(.*?)^```", part, re.MULTILINE | re.DOTALL) for part in sections
    }
    return {name: [re.sub(r"\n +", " ", block.strip()) for block in found] for name, found in blocks.items()}


def symptom(heading: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Note the cause of a symptom."""

    def note(cause: Callable[[Any], None]) -> Callable[[Any], None]:
        CASES[heading] = cause
        return cause

    return note


# --- nothing happens


@symptom("A task stays deferred and logs nothing")
def _no_triggerer(scene: Any) -> None:
    scene.serve()
    sensor = scene.sensor(operation=scene.published())
    scene.call(lambda: sensor.resume_execution("__fail__", {"error": "Trigger timeout"}, scene.context))
    scene.airflow("jobs", "check", "--job-type", "TriggererJob")


@symptom("A task stays deferred and its last log line is days old")
def _long_certification(scene: Any) -> None:
    portal = scene.serve()
    operation = scene.published()
    portal.clock.advance(days=1)

    def deferred() -> None:
        with pytest.raises(TaskDeferred):
            scene.sensor(operation=operation).execute(scene.context)

    scene.call(deferred)


@symptom("The triggerer cannot import the package")
def _not_on_the_triggerer(scene: Any) -> None:
    scene.serve()
    sensor = scene.sensor(operation=scene.published())
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(scene.context)
    classpath, _ = deferral.value.trigger.serialize()
    program = (
        "import json, sys, traceback\n"
        "from airflow.jobs.triggerer_job_runner import TriggerRunner\n"
        "try: TriggerRunner().get_trigger_by_classpath(sys.argv[1])\n"
        "except ImportError as error: print(json.dumps(traceback.format_exception(error)))"
    )
    printed = scene.python("-c", program, classpath, is_installed=False)
    told = next(line for line in printed if line.startswith("["))
    reason = {"error": "Trigger failure", "traceback": json.loads(told)}
    scene.call(lambda: sensor.resume_execution("__fail__", reason, scene.context))


@symptom("The connection type is not in the list")
def _not_on_the_api_server(scene: Any) -> None:
    scene.airflow("providers", "get", "airflow-provider-cpp", is_installed=False)


@symptom("The Test button is disabled")
def _test_disabled(scene: Any) -> None:
    scene.airflow("connections", "test", "cloud_partner_portal_default")


# --- connection and sign-in


@symptom("The connection does not exist")
def _no_connection(scene: Any) -> None:
    scene.publish()


@symptom("The connection is incomplete")
def _lacks_fields(scene: Any) -> None:
    scene.serve()
    scene.connect(login=None, password=None, extra={"tenant_id": None})
    scene.publish()


@symptom("No publisher is set")
def _no_publisher(scene: Any) -> None:
    scene.serve()
    scene.connect(extra={"publisher_id": None})
    scene.publish()


@symptom("The client secret is rejected")
def _wrong_secret(scene: Any) -> None:
    scene.serve()
    scene.connect(password="the secret's id")
    scene.wait(offer_id=OFFER)


@symptom("The application or its tenant is not found")
def _unknown_application(scene: Any) -> None:
    scene.serve()
    scene.connect(login=NOBODY)
    scene.wait(offer_id=OFFER)
    scene.connect(extra={"tenant_id": NOBODY})
    scene.wait(offer_id=OFFER)


@symptom("The API responds with 401")
def _token_not_accepted(scene: Any) -> None:
    scene.serve().inject(Fault("answer", "submissions", times=2, status=401))
    scene.publish()


@symptom("The API responds with 403")
def _not_a_user(scene: Any) -> None:
    scene.serve()
    scene.publish(publisher_id="fabrikam")


@symptom("An access token is rejected")
def _old_token(scene: Any) -> None:
    portal = scene.serve()
    token = portal.connection_for("access_token")["password"]
    scene.connect(login=None, password=token, extra={"auth": "access_token"})
    portal.revoke_tokens()
    scene.publish()


@symptom("A changed connection does not work")
def _broken_while_waiting(scene: Any) -> None:
    portal = scene.serve()
    sensor = scene.sensor(operation=scene.published(), timeout=timedelta(seconds=0.5))
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(scene.context)

    def break_it() -> None:
        portal.rotate_secret()
        portal.revoke_tokens()
        scene.connect(password="old", extra={"tenant_id": None})

    scene.call(lambda: scene.meanwhile(lambda: run_trigger(deferral.value), "operation", break_it))


# --- network


@symptom("The API or the sign-in cannot be reached")
def _unreachable(scene: Any) -> None:
    portal = scene.serve()
    scene.connect(host=NOWHERE)
    scene.publish()
    scene.connect(extra={"authority": NOWHERE})
    scene.publish()
    scene.connect(extra={"request_timeout": 0.2})
    portal.inject(Fault("hang", "submissions", seconds=0.5))
    scene.publish()


@symptom("The proxy cannot be reached")
def _no_proxy(scene: Any) -> None:
    scene.serve()
    scene.connect(extra={"proxies": {"https": "http://me:hunter2@127.0.0.1:1"}})
    scene.publish()


@symptom("The certificate is not trusted")
def _untrusted(scene: Any) -> None:
    portal = scene.serve()
    scene.connect(extra={"verify": None})
    scene.publish()
    token = portal.connection_for("access_token")["password"]
    scene.connect(login=None, password=token, extra={"auth": "access_token", "verify": None})
    scene.publish()


@symptom("The API asks for fewer requests")
def _throttled(scene: Any) -> None:
    portal = scene.serve()
    portal.inject(Fault("answer", "publish", status=429))
    scene.publish()
    operation = scene.published()
    portal.inject(Fault("answer", "operation", status=429))
    scene.wait(operation=operation)


@symptom("The API fails or is unavailable while a task waits")
def _portal_away(scene: Any) -> None:
    portal = scene.serve()
    operation = scene.published()
    portal.inject(Fault("answer", "operation", times=999, status=503, body="<html><h1>Service unavailable</h1>"))
    scene.wait(operation=operation, timeout=timedelta(seconds=30), poll_failure_tolerance=0.2)


# --- publishing


@symptom("Another operation is in progress")
def _somebody_publishes(scene: Any) -> None:
    scene.serve().person(OFFER, "publish")
    scene.publish()
    scene.serve(lag_list=9)
    scene.published()
    scene.publish()


@symptom("The publish is rejected with a conflict although nothing is in progress")
def _conflict_with_another_cause(scene: Any) -> None:
    body = '{"error": {"code": "Conflict", "message": "The draft has no changes"}}'
    scene.serve(history="succeeded").inject(Fault("answer", "publish", times=2, status=409, body=body))
    scene.publish()


@symptom("An earlier publish of the task does not show, and the next one is rejected")
def _own_publish_is_silent(scene: Any) -> None:
    portal = scene.serve()
    status = '{"status": "neverPublished"}'
    for route, body in (("submissions", "[]"), ("status", status)):
        portal.inject(Fault("answer", route, times=999, status=200, body=body))
    portal.inject(Fault("drop", "publish", after=True))
    scene.publish()
    scene.later_try(2)
    scene.publish()


@symptom("It is not known whether the task is retried or was cleared")
def _retried_or_cleared(scene: Any) -> None:
    portal = scene.serve()
    scene.publish()
    portal.clock.advance(days=5)
    scene.later_try(2)
    scene.publish(retries=1)


@symptom("A clear emptied the task's state")
def _emptied_store(scene: Any) -> None:
    scene.serve()
    scene.later_try(2)
    scene.context["ti"].max_tries, scene.context["dag_run"].clear_number = 3, 1
    scene.publish()


@symptom("It is not known whether the publish was accepted, and the task asks for a manual check")
def _an_earlier_try_may_have_ordered(scene: Any) -> None:
    scene.serve()
    scene.parked()
    scene.later_try(2, notes=False)
    scene.publish()


@symptom("It is not known whether the publish was accepted, and a retry checks again")
def _lost_answer(scene: Any) -> None:
    scene.serve(history="succeeded").inject(Fault("answer", "publish", status=502))
    scene.publish()


@symptom("The task continues with an earlier try's operation")
def _gone_on_with(scene: Any) -> None:
    scene.serve()
    scene.publish()
    scene.later_try(2)
    scene.publish()
    scene.later_try(2, notes=False)
    scene.publish()


@symptom("The draft is rejected")
def _invalid_draft(scene: Any) -> None:
    scene.serve("invalid")
    scene.publish()


@symptom("The offer does not exist")
def _misspelt_offer(scene: Any) -> None:
    scene.serve()
    scene.publish(offer_id="contoso-vn")


@symptom("The offers of a mapped task changed their positions")
def _shifted_index(scene: Any) -> None:
    scene.serve().add_offer("contoso-db")
    scene.publish()
    scene.later_try(2)
    scene.publish(offer_id="contoso-db")


# --- waiting


@symptom("Certification failed")
def _rejected(scene: Any) -> None:
    portal = scene.serve("blocked-then-rejected")
    operation = scene.published()
    portal.clock.advance(days=3)
    scene.wait(operation=operation)


@symptom("A step is blocked")
def _blocked(scene: Any) -> None:
    portal = scene.serve("blocked-then-rejected")
    operation = scene.published()
    portal.clock.advance(days=2)
    scene.wait(operation=operation)


@symptom("The publication was canceled")
def _canceled(scene: Any) -> None:
    portal = scene.serve("canceled")
    operation = scene.published()
    portal.clock.advance(days=3)
    scene.wait(operation=operation)


@symptom("The wait ends at once with the status of the previous publication")
def _last_publication(scene: Any) -> None:
    scene.serve(history="succeeded", lag_status=1)
    scene.published()
    scene.wait(offer_id=OFFER)


@symptom("The wait timed out")
def _timed_out(scene: Any) -> None:
    portal = scene.serve()
    operation = scene.published()
    portal.clock.advance(days=1)
    scene.wait(operation=operation)


@symptom("The operation is None")
def _nothing_returned(scene: Any) -> None:
    sensor = scene.sensor(operation="{{ nothing }}")
    sensor.operation = None  # as rendering leaves it
    scene.run(sensor)


@symptom("The operation is one field of an operation")
def _expanded(scene: Any) -> None:
    scene.serve()
    operation = scene.published()
    scene.wait(operation=next(iter(operation.items())))
    scene.wait(operation=[operation, operation])


@symptom("The API does not know the operation")
def _unknown_operation(scene: Any) -> None:
    scene.serve()
    changes = {"operation_id": NOBODY, "location": None, "submitted_at": "2026-11-03T09:00:00+00:00"}
    scene.wait(operation=scene.published() | changes)


@symptom("An unknown status")
def _unknown_status(scene: Any) -> None:
    portal = scene.serve("unknown-status")
    operation = scene.published()
    portal.clock.advance(days=1)
    scene.wait(operation=operation)


@symptom("Releases differ")
def _other_release(scene: Any) -> None:
    scene.serve()
    sensor = scene.sensor(operation=scene.published())
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(scene.context)
    deferral.value.trigger.wait_spec |= {"version": 99}
    for event in (run_trigger(deferral.value), None):
        arguments = {"event": event}
        scene.call(lambda arguments=arguments: sensor.resume_execution("execute_complete", arguments, scene.context))
    scene.later_try(2)
    scene.context["task_state_store"].set("airflow_provider_cpp.checkpoint", {"version": 2})
    scene.publish()


# --- going live and canceling


@symptom("Nothing is awaiting sign-off")
def _too_early(scene: Any) -> None:
    scene.serve()
    scene.run(GoLiveOfferOperator(task_id="go_live", operation=scene.published(), settle_time=0))


@symptom("Another publication is awaiting sign-off")
def _another_is_parked(scene: Any) -> None:
    scene.serve()
    operation = scene.parked()
    scene.parked()
    scene.run(GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0))


@symptom("The go-live is not accepted")
def _stays_parked(scene: Any) -> None:
    portal = scene.serve()
    operation = scene.parked()
    portal.inject(Fault("drop", "golive", times=2))
    scene.run(GoLiveOfferOperator(task_id="go_live", operation=operation, settle_time=0))


@symptom("Another operation than the one to cancel is in progress")
def _another_runs(scene: Any) -> None:
    scene.serve()
    operation = scene.parked()
    scene.published()
    scene.run(CancelOfferOperator(task_id="cancel", operation=operation))


@symptom("The cancel takes long")
def _slow_cancel(scene: Any) -> None:
    scene.serve(cancel_takes=timedelta(hours=1))
    scene.run(CancelOfferOperator(task_id="cancel", operation=scene.published(), timeout=0))


# --- changing a draft


def add_image(scene: Any, plan_id: str, version: str, expiry: str) -> None:
    url = f"https://contosoimages.blob.core.windows.net/vhds/2.vhd?sv=2018-03-28&sr=c&sp=rl&se={expiry}&sig=example"
    scene.run(
        AddImageVersionOperator(task_id="add_image", offer_id=OFFER, plan_id=plan_id, version=version, os_disk_url=url)
    )


@symptom("The plan does not exist")
def _no_plan(scene: Any) -> None:
    scene.serve()
    add_image(scene, "golden", "1.0.1", "2100-01-01")


@symptom("The version exists already with another image")
def _another_image(scene: Any) -> None:
    scene.serve()
    add_image(scene, "gold", "1.0.0", "2100-01-01")


@symptom("The image URL expires too early")
def _expired_url(scene: Any) -> None:
    scene.serve()
    add_image(scene, "gold", "1.0.1", "2026-01-01")


@symptom("The API returns no ETag")
def _no_etag(scene: Any) -> None:
    scene.serve(etag_on_get=False)
    scene.run(UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"definition": {"displayText": "new"}}))


@symptom("Somebody else keeps changing the draft")
def _somebody_writes(scene: Any) -> None:
    portal = scene.serve()
    task = UpdateOfferOperator(task_id="update", offer_id=OFFER, patch={"definition": {"displayText": "new"}})

    def somebody_writes() -> None:
        portal.clock.advance(hours=1)
        portal.add_offer(OFFER)

    scene.call(lambda: scene.meanwhile(lambda: run_to_end(task, scene.context), "put", somebody_writes))


# --- the page


def test_every_symptom_of_the_page_has_its_cause() -> None:
    """Each symptom of the page has lines, and a cause here; and there is no cause without a symptom."""
    found = symptoms()
    assert (sorted(found), [name for name, lines in found.items() if not lines]) == (sorted(CASES), [])


@pytest.mark.parametrize("heading", CASES)
def test_the_page_quotes_what_comes(scene: Any, heading: str, request: pytest.FixtureRequest) -> None:
    """Each line of a symptom comes, word by word, when its trouble is caused."""
    lines = symptoms()[heading]
    if any(line.startswith("$ airflow jobs") for line in lines):
        request.getfixturevalue("airflow_home")
    CASES[heading](scene)
    missing = [line for line in lines if not any(pattern(line).fullmatch(came) for came in scene.lines)]
    assert missing == [], "\n".join(["these came instead:", *scene.lines])


@pytest.mark.parametrize(
    ("line", "came", "fits"),
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
def test_a_line_of_the_page_leaves_open_what_it_says_and_no_more(line: str, came: str, fits: bool) -> None:  # noqa: FBT001 - it is what is expected
    """A placeholder stands for what its name says, and all else is taken as it is written."""
    assert bool(pattern(line).fullmatch(came)) is fits


def test_a_placeholder_that_is_none_is_an_error() -> None:
    """A line cannot leave open what nobody defined."""
    with pytest.raises(KeyError, match="whatever"):
        pattern("a line with <whatever> in it")


def test_an_operation_written_by_hand_is_gone_on_with(scene: Any) -> None:
    """The DAG at the end of the page waits for an operation that is known by its id alone."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "go_on"}
    exec(compile(code, "troubleshooting.md", "exec"), names)  # noqa: S102 - it is our own page
    scene.serve()
    operation = names["OPERATION"] | {"operation_id": scene.parked()["operation_id"]}
    dag = names["go_on"]()
    for task_id in ("preview", "live"):
        sensor = dag.get_task(task_id)
        sensor.operation, sensor.timeout, sensor.poll_interval = operation, 0, 0.01
        scene.run(sensor)
    said = [line for line in scene.lines if "its preview is ready" in line or "gave up waiting for live" in line]
    assert (len(said), sensor.operation["operation_id"] == operation["operation_id"]) == (2, True)
