# SPDX-License-Identifier: Apache-2.0
"""Collects the reprs, errors, log lines and rendered fields of copies of the package; without a mask, a secret is in them.

``output_of_copies.py OUT`` imports the slow modules once and reads the folder of a copy from each line of its input.
For each copy it writes the texts and the secrets to ``OUT/<name of the copy>.json``, and then prints the name.
"""

from __future__ import annotations

import html
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import aiohttp  # noqa: F401 - slow
import jwt  # noqa: F401 - slow
import msal  # noqa: F401 - slow
import requests  # noqa: F401 - slow
import trustme  # noqa: F401 - slow
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator  # noqa: F401 - slow
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

OFFER = "contoso-vm"
SECRET = "so~secret+and/so=on&8Q"
PROXY = "proxy-password-of-ours"


def signature(name: str) -> str:
    """Return the signature of a URL by name."""
    return f"{name}+of/ours{name[::-1]}=="


def url(name: str) -> str:
    """Return a signed URL by name."""
    return f"https://blobs.example/vhds/a.vhd?sv=1&se=2099-01-01T00:00:00Z&sig={quote(signature(name), safe='')}"


class Output:
    """The collected texts, and the secrets that must not be in them."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.secrets: list[str] = []

    def add_error(self, function: Callable[[], object]) -> None:
        """Add the error of a function that must fail."""
        try:
            function()
        except Exception as error:  # noqa: BLE001 - any of them
            self.texts += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
            return
        raise AssertionError("it should have failed")


def add_values(output: Output, emulator: Any) -> None:
    """Add each value that has a secret."""
    from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
    from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import put_offer
    from airflow_provider_cpp.apis.product_ingestion.endpoints import configure, publish_product
    from airflow_provider_cpp.apis.product_ingestion.models import Job, Product, Submission
    from airflow_provider_cpp.core.checkpoint import TryContext
    from airflow_provider_cpp.core.models import OfferDocument, OfferRef
    from airflow_provider_cpp.core.params import AddImageParams, ConfigureParams, ImageVersion, PublishParams
    from airflow_provider_cpp.transport.auth.acquire import acquire_token
    from airflow_provider_cpp.transport.auth.token_source import token_source
    from airflow_provider_cpp.transport.settings import Settings
    from airflow_provider_cpp.transport.sync import SyncSession

    methods = ("client_secret", ""), ("certificate", "pfx"), ("certificate", "inline"), ("access_token", "")
    for kind, form in methods:
        made = emulator.connection_for(kind, form)
        extra = made["extra"] | {"proxies": {"https": f"http://us:{PROXY}@proxy.example:3128"}}
        fields = {"host": made["host"], "login": made.get("login"), "password": made.get("password")}
        settings = Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, extra=made["extra"])
        proxied = Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, extra=extra)
        output.texts += [repr(one) for one in (settings, proxied, settings.credentials, SyncSession(settings))]
        source, grant = token_source(settings), acquire_token(settings)
        output.texts += [repr(one) for one in (source, source.token(), grant)]
        if kind == "access_token" or form == "inline":
            value = extra.get("private_key") or made["password"]
            output.secrets += [value] if kind == "access_token" else [value.splitlines()[len(value.splitlines()) // 2]]
    document = {"disk": url("document")}
    image = ImageVersion("gold", "1.2.3", url("os"), {0: url("data")}, {"label": url("details")})
    request = put_offer(OfferRef("contoso", OFFER), document, None)
    output.texts += [repr(one) for one in (request, OfferDocument(document, None), image)]
    offer, resource = OfferRef(None, OFFER), {"$schema": "x", "uri": url("resource")}
    parameters = (
        PublishParams(offer, (), TryContext(0), resources=(resource,)),
        ConfigureParams(offer, [resource]),
    )
    writes = configure(offer, [resource]), publish_product(offer, "1", [resource])
    output.texts += [repr(one) for one in (*parameters, *writes, AddImageParams(offer, image))]
    error = {
        "code": url("error"),
        "message": f"<p>{url('error')}</p>",
        "resourceId": url("error"),
        "details": [url("error")],
    }
    job = {"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": [error, url("error")]}
    output.texts += [repr(Job.from_json(job)), Job.from_json(job).reason]
    submission = {
        "id": "submission/1/2",
        "status": url("error"),
        "result": url("error"),
        "target": {"targetType": url("error")},
    }
    product = {"id": "product/1", "identity": {"externalId": url("error")}, "type": url("error"), "alias": url("error")}
    output.texts += [repr(Submission.from_json(submission)), repr(Product.from_json(product))]


def add_responses(output: Output, emulator: Any, fault: Any) -> None:
    """Add the results of responses that repeat secrets."""
    from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
    from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_offer_status, list_publishers
    from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_message
    from airflow_provider_cpp.core.effects import send
    from airflow_provider_cpp.core.models import OfferRef
    from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
    from airflow_provider_cpp.transport.auth.acquire import acquire_token
    from airflow_provider_cpp.transport.network_errors import transport_error
    from airflow_provider_cpp.transport.settings import Settings

    hook, token = CloudPartnerPortalHook(), emulator.tokens[0]
    made = emulator.connection_for("client_secret")
    settings = Settings.from_fields(
        CLOUD_PARTNER_PORTAL_API.endpoint,
        host=made["host"],
        login=made["login"],
        password=made["password"],
        extra=made["extra"],
    )
    for echo in (SECRET, quote_plus(SECRET), html.escape(SECRET), token, " ".join(token.split(".")[:2])):
        body = json.dumps({"error": "odd", "error_description": f"it was {echo} that came"})
        emulator.inject(fault("response", "token", status=400, body=body))
        output.texts.append(repr(acquire_token(settings)))
    for echo in (url("error"), quote(url("error")), html.escape(url("error")), token):
        for body in (json.dumps({"error": {"code": echo, "message": echo}}), f"<p>{echo}</p>"):
            emulator.inject(fault("response", "status", status=400, body=body))
            output.add_error(lambda: hook.get_offer_status(OFFER))
        output.texts.append(repr(parse_message({"messageHtml": f"<p>{echo}</p>", "level": echo})))
        output.texts.append(repr(parse_message(echo)))
    emulator.inject(fault("response", "status", status=200, body=f"no JSON: {url('error')}"))
    output.add_error(lambda: hook.run(send(get_offer_status(OfferRef("contoso", OFFER)))))
    error = OSError(f"http://us:{PROXY}@proxy.example")
    output.texts.append(str(transport_error(list_publishers(), "https://api.example", error, ())))


def add_fields(output: Output) -> None:
    """Add the rendered fields of tasks, and text with their URLs decoded."""
    from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
    from airflow_provider_cpp.operators.offer import PublishOfferOperator

    image = AddImageVersionOperator(
        task_id="image",
        offer_id=OFFER,
        plan_id="gold",
        version="1.2.3",
        os_disk_url=url("os"),
        data_disk_urls={0: url("data")},
        details={"label": [url("details")]},
    )
    patch = UpdateOfferOperator(task_id="patch", offer_id=OFFER, patch={"disk": url("patch")})
    resources = UpdateOfferOperator(task_id="resources", offer_id=OFFER, product_resources=[{"uri": url("configure")}])
    part = PublishOfferOperator(task_id="part", offer_id=OFFER, product_resources=[{"uri": url("part")}])
    output.texts += [json.dumps(_serialize_rendered_fields(task)) for task in (image, patch, resources, part)]
    names = ("os", "data", "details", "patch", "configure", "part")
    output.texts += [str(redact(unquote(url(name)))) for name in names]

    def careless(document: dict[str, Any]) -> None:
        raise LookupError(f"no place for {url('careless')}")

    lines = Output()
    task = UpdateOfferOperator(task_id="careless", offer_id=OFFER, change=careless)
    lines.add_error(lambda: task.execute({}))
    output.texts += [str(redact(text)) for text in lines.texts]


def collect() -> Output:
    """Collect the texts of all parts."""
    from partner_center_emulator import Emulator, Fault, ManualClock, Settings

    output = Output()

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            output.texts.append(f"{record.getMessage()} {record.args!r} {record.exc_text}")

    with Emulator(Settings(), ManualClock()) as emulator:
        emulator._identity.client_secret = SECRET
        emulator.add_offer(OFFER)
        os.environ["AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"] = json.dumps(emulator.connection)
        root = logging.getLogger()
        root.setLevel(logging.DEBUG)
        root.addHandler(Collecting())
        add_values(output, emulator)
        add_responses(output, emulator, Fault)
        add_fields(output)
        tokens = [*emulator.tokens, *emulator.assertions]
        pieces = [piece for token in tokens for piece in (token, *token.split(".")[1:])]
        output.secrets += [SECRET, PROXY, "correct horse battery staple", *pieces]
        names = ("os", "data", "details", "patch", "document", "error", "careless", "configure", "part", "resource")
        output.secrets += [signature(name) for name in names]
    return output


def main(out: Path) -> None:
    """Collect the texts of each copy in a process of its own."""
    for line in sys.stdin:
        copy = line.rstrip("\n")
        child = os.fork()
        if child == 0:
            nothing = os.open(os.devnull, os.O_RDWR)  # the pipes belong to the parent
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            sys.path.insert(0, copy)
            for name in [name for name in sys.modules if name.startswith("airflow_provider_cpp")]:
                del sys.modules[name]  # Airflow has imported the installed one
            try:
                output = collect()
                import airflow_provider_cpp

                assert Path(airflow_provider_cpp.__file__).is_relative_to(copy)
                value = {"texts": output.texts, "secrets": output.secrets}
                (out / f"{Path(copy).name}.json").write_text(json.dumps(value))
            except BaseException:  # noqa: BLE001 - the parent prints it
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.waitpid(child, 0)
        print(Path(copy).name, flush=True)  # noqa: T201 - the test waits for it


if __name__ == "__main__":
    main(Path(sys.argv[1]))
