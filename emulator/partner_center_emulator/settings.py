# SPDX-License-Identifier: Apache-2.0
"""What the portal's contract leaves open, contradicts itself on, or is only assumed: each a setting."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Settings:
    """How the emulated portal behaves. Durations are on the emulator's clock unless said otherwise.

    :param location_header: which header of a 202 names the operation.
    :param location_form: the form of its value: ``publisher`` and ``dollar`` are relative paths, by id and by
        publishing version; ``absolute`` is a URL without an API version; ``dollar-guid`` is the oldest one, with
        a GUID for the offer.
    :param operation_body: whether one operation comes as an object or as a list of one.
    :param sign_off_shown_as: how a parked offer shows: by its status, or as running with the step's id or name.
    :param error_body: what an error's body is.
    :param casing: how status words are written.
    :param success_word: the status of an offer that is live.
    :param operation_success_word: the status of an operation that is done.
    :param list_success_word: the same in the list of operations.
    :param second_publish: the HTTP status for a publish while an operation runs.
    :param create_code: the HTTP status for a PUT that creates.
    :param missing_if_match: the HTTP status for a PUT on an existing offer without If-Match.
    :param etag_on_get: whether reading an offer gives its ETag.
    :param cancel_answer: the HTTP status for a cancel.
    :param cancel_takes: how long canceling takes.
    :param cancel_parked: whether a parked offer can be canceled, or is refused with 400.
    :param golive_operation: whether going live is an operation of its own or continues the publish operation.
    :param sign_off_after: after how long an emulated person signs a parked offer off; 0 for never.
    :param lag_status: for how many polls of it an offer's status stays the old one after a 202.
    :param lag_list: the same for the list of operations.
    :param lag_operation: the same for the new operation.
    :param lag_time: for how long after a 202 all three stay the old ones, in the world's time.
    :param lag_operation_as: whether the new operation shows the previous one meanwhile, or is not found.
    :param validation: how long the first step takes.
    :param certification: how long the second takes.
    :param provisioning: how long the third takes.
    :param packaging: how long the fourth takes.
    :param going_live: how long the last one takes.
    :param schema_version: whether the Product Ingestion API wants ``$version`` in every call.
    :param schema_hosts: whether schemas of the host that is no longer taken are refused with 400.
    :param retired_schema: whether some resources are still given out with a schema of that host.
    :param null_values: whether technical configurations are given out with nulls that are refused when sent back.
    :param configure_code: the HTTP status for a job that was taken.
    :param first_job_status: what the answer to a configure request says of its job.
    :param submission_waits: for how long a new submission says that it has not started.
    :param draft_job: how long a job takes that only changes the draft, or is refused.
    :param job_lag: for how long a job says that it runs when its submission is done.
    :param job_end: when a job tells its end: when it has one, always, or never.
    :param job_kept_for: for how long an ended job is found; 0 for ever.
    :param resource_uri: whether a job names its address on another host.
    :param error_details: what stands in a job's error below which there is none: an empty list, nothing, an object.
    :param refusal_shown_as: whether what cannot be done is a job that fails, or is refused with 400.
    :param cancel_job: whether a job that runs is cancelled at once, after ``cancel_takes``, or never.
    :param modular_needs: whether some resources are published only together with the property resource.
    :param new_versions: whether a plan takes any number of image versions that are not published, or one.
    :param going_live_listing: whether the old live submission is listed while a new one goes live.
    :param live_listing: whether a preview that went live is listed as live only, or under preview too.
    :param resource_order: the order of lists and trees.
    :param page_size: how many products a page has at most.
    :param next_link: whether the next page is on the same host.
    :param token_lifetime: how long a token is good, in the world's time.
    :param latency: how long every answer takes, in the world's time.
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
    cancel_answer: Literal[202, 200] = 202
    cancel_takes: timedelta = timedelta(minutes=2)
    cancel_parked: Literal["canceled", "400"] = "canceled"
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
        """Refuse a value that its setting does not have, so that a typing error in a test is seen."""
        for name, kind in get_type_hints(Settings).items():
            value = getattr(self, name)
            if get_origin(kind) is Literal and value not in get_args(kind):
                allowed = ", ".join(map(str, get_args(kind)))
                msg = f"{name} is {value!r}, not one of {allowed}"
                raise ValueError(msg)

    def with_text(self, name: str, text: str) -> Settings:
        """Return these settings with one changed, its value given as text: ``lag_status``, ``3``.

        :raises ValueError: if there is no such setting, or the text is no value of it.
        """
        kinds = get_type_hints(Settings)
        if name not in {field.name for field in fields(Settings)}:
            msg = f"there is no setting {name}; there are: {', '.join(kinds)}"
            raise ValueError(msg)
        changes: dict[str, Any] = {name: _read(name, text, kinds[name])}
        return replace(self, **changes)


def _read(name: str, text: str, kind: Any) -> object:
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if get_origin(kind) is Literal:
        return next((value for value in get_args(kind) if str(value) == text), text)
    if kind is int and text.isdecimal():
        return int(text)
    if kind is timedelta and (found := re.fullmatch(r"([0-9.]+)([smhd]?)", text)):
        return timedelta(**{UNITS[found.group(2) or "s"]: float(found.group(1))})
    msg = f"{name} cannot be {text!r}; durations are like 90s, 15m, 2h, 3d"
    raise ValueError(msg)
