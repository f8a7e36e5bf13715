# SPDX-License-Identifier: Apache-2.0
"""The settings for behavior that the APIs' documentation contradicts, leaves open, or only implies."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Settings:
    """The emulator's settings. Durations are on the emulator's clock, unless marked "in real time".

    :param location_header: header of a 202 response with the operation's location.
    :param location_form: form of that header's value: ``publisher`` and ``dollar`` are relative paths, by id and by
        publishing version; ``absolute`` is a URL without an API version; ``dollar-guid`` is the oldest form, with
        a GUID for the offer.
    :param operation_body: whether one operation is an object or a list with one object.
    :param sign_off_shown_as: how an offer shows that it awaits sign-off: by its status, or as running with the
        step's ID or name.
    :param error_body: body of an error response.
    :param casing: case of status words.
    :param success_word: status of an offer that is live.
    :param operation_success_word: status of an operation that has succeeded.
    :param list_success_word: status of an operation that has succeeded, in the list of operations.
    :param second_publish: HTTP status of a publish while an operation is in progress.
    :param create_code: HTTP status of a PUT that creates an offer.
    :param missing_if_match: HTTP status of a PUT to an existing offer without If-Match.
    :param etag_on_get: whether reading an offer returns its ETag.
    :param cancel_code: HTTP status of a cancel.
    :param cancel_takes: duration of a cancel.
    :param cancel_at_sign_off: whether an offer that awaits sign-off can be canceled; otherwise, the cancel gets a 400.
    :param golive_operation: whether going live is a new operation, or continues the publish operation.
    :param sign_off_after: time after which an emulated person signs off; 0 for never.
    :param lag_status: number of polls for which the status of an offer stays stale after a 202.
    :param lag_list: the same for the list of operations.
    :param lag_operation: the same for the new operation.
    :param lag_time: time for which all three stay stale after a 202, in real time.
    :param lag_operation_as: what a read of the new operation returns until then: the previous operation, or 404.
    :param validation: duration of the first step.
    :param certification: duration of the second step.
    :param provisioning: duration of the third step.
    :param packaging: duration of the fourth step.
    :param going_live: duration of the last step.
    :param schema_version: whether the Product Ingestion API requires ``$version`` in every request.
    :param schema_hosts: whether schemas of the retired host are rejected with 400.
    :param retired_schema: whether some resources are still returned with a schema of that host.
    :param null_values: whether technical configurations are returned with nulls that are rejected when sent back.
    :param configure_code: HTTP status of an accepted job.
    :param first_job_status: status of the job in the response to a configure request.
    :param submission_waits: time for which a new submission has the status ``notStarted``.
    :param draft_job: duration of a job that only changes the draft, or that is rejected.
    :param job_lag: time for which a job is still in progress after its submission has ended.
    :param job_end: when a job has a ``jobEnd``: after it has ended, always, or never.
    :param job_kept_for: time for which an ended job can be read; 0 for no limit.
    :param resource_uri: whether a job contains its URL on another host.
    :param error_details: the ``details`` of a job's innermost errors: an empty list, missing, or an object.
    :param refusal_shown_as: whether an invalid request starts a job that fails, or gets a 400.
    :param cancel_job: whether a job in progress is canceled at once, after ``cancel_takes``, or never.
    :param modular_needs: what a publish of some resources must also contain.
    :param new_versions: number of image versions of a plan that may be unpublished.
    :param going_live_listing: whether the old live submission is listed while a new one goes live.
    :param live_listing: whether a preview that went live is listed only as live, or under preview too.
    :param resource_order: order of lists and resource trees.
    :param page_size: maximum number of products in a page.
    :param next_link: host of the link to the next page.
    :param token_lifetime: how long a token is valid, in real time.
    :param latency: how long every response takes, in real time.
    """

    location_header: Literal["Location", "Operation-Location", "both", "none"] = "Location"
    location_form: Literal["publisher", "dollar", "absolute", "dollar-guid"] = "publisher"
    operation_body: Literal["object", "list"] = "object"
    sign_off_shown_as: Literal["status", "step-id", "step-name"] = "status"
    error_body: Literal["json", "empty", "html"] = "json"
    casing: Literal["camel", "pascal"] = "camel"
    success_word: Literal["succeeded", "published"] = "succeeded"
    operation_success_word: Literal["complete", "completed", "succeeded"] = "complete"
    list_success_word: Literal["completed", "complete", "succeeded"] = "completed"
    second_publish: Literal[409, 400] = 409
    create_code: Literal[200, 201] = 200
    missing_if_match: Literal[409, 400] = 409
    etag_on_get: bool = True
    cancel_code: Literal[202, 200] = 202
    cancel_takes: timedelta = timedelta(minutes=2)
    cancel_at_sign_off: Literal["canceled", "400"] = "canceled"
    golive_operation: Literal["new", "continues"] = "new"
    sign_off_after: timedelta = timedelta(0)
    lag_status: int = 0
    lag_list: int = 0
    lag_operation: int = 0
    lag_time: timedelta = timedelta(0)
    lag_operation_as: Literal["previous", "missing"] = "previous"
    validation: timedelta = timedelta(minutes=15)
    certification: timedelta = timedelta(days=2, hours=12)
    provisioning: timedelta = timedelta(days=1)
    packaging: timedelta = timedelta(hours=1)
    going_live: timedelta = timedelta(days=2)
    schema_version: Literal["required", "optional"] = "required"
    schema_hosts: Literal["checked", "any"] = "checked"
    retired_schema: Literal["given", "gone"] = "given"
    null_values: Literal["left-out", "given"] = "left-out"
    configure_code: Literal[202, 200] = 202
    first_job_status: Literal["notStarted", "running"] = "notStarted"
    submission_waits: timedelta = timedelta(0)
    draft_job: timedelta = timedelta(seconds=5)
    job_lag: timedelta = timedelta(0)
    job_end: Literal["when-done", "always", "never"] = "when-done"
    job_kept_for: timedelta = timedelta(0)
    resource_uri: Literal["given", "missing"] = "given"
    error_details: Literal["list", "missing", "object"] = "list"
    refusal_shown_as: Literal["job", "400"] = "job"
    cancel_job: Literal["at-once", "later", "refused"] = "at-once"
    modular_needs: Literal["property", "nothing"] = "property"
    new_versions: Literal["any", "one"] = "any"
    going_live_listing: Literal["two-live", "one-live"] = "two-live"
    live_listing: Literal["replaces", "same-id"] = "replaces"
    resource_order: Literal["shuffled", "sorted"] = "shuffled"
    page_size: int = 100
    next_link: Literal["same-host", "other-host"] = "same-host"
    token_lifetime: timedelta = timedelta(hours=1)
    latency: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        """Raise ValueError for an unsupported value, so that a typo makes a test fail."""
        for name, kind in get_type_hints(Settings).items():
            value = getattr(self, name)
            if get_origin(kind) is Literal and value not in get_args(kind):
                allowed = ", ".join(map(str, get_args(kind)))
                msg = f"{name} is {value!r}, not one of {allowed}"
                raise ValueError(msg)

    def with_text(self, name: str, text: str) -> Settings:
        """Return a copy with one setting changed to a value that is given as text, for example ``lag_status`` and ``3``.

        :raises ValueError: if there is no such setting, or if the text is not a valid value.
        """
        kinds = get_type_hints(Settings)
        if name not in {field.name for field in fields(Settings)}:
            msg = f"there is no setting {name}; there are: {', '.join(kinds)}"
            raise ValueError(msg)
        changes: dict[str, Any] = {name: _parse(name, text, kinds[name])}
        return replace(self, **changes)


def _parse(name: str, text: str, kind: Any) -> object:
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if get_origin(kind) is Literal:
        return next((value for value in get_args(kind) if str(value) == text), text)
    if kind is int and text.isdecimal():
        return int(text)
    if kind is timedelta and (match := re.fullmatch(r"([0-9.]+)([smhd]?)", text)):
        return timedelta(**{UNITS[match.group(2) or "s"]: float(match.group(1))})
    msg = f"{name} cannot be {text!r}; durations are like 90s, 15m, 2h, 3d"
    raise ValueError(msg)
