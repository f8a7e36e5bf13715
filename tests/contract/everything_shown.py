# SPDX-License-Identifier: Apache-2.0
"""Makes this package show all that it would show: run with one of its masks taken out, it shows something secret.

``everything_shown.py OUT`` imports what is heavy once and then reads, line by line, the folders of copies of the package.
What each shows, and what should not be in there, it writes to ``OUT/<the copy's name>.json``, and then its name.
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

import aiohttp  # noqa: F401 - heavy
import jwt  # noqa: F401 - heavy
import msal  # noqa: F401 - heavy
import requests  # noqa: F401 - heavy
import trustme  # noqa: F401 - heavy
from airflow.providers.common.compat.sdk import BaseHook, BaseOperator  # noqa: F401 - heavy
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields

OFFER = "contoso-vm"
SECRET = "so~secret+and/so=on&8Q"
PROXY = "proxy-password-of-ours"


def signature(name: str) -> str:
    """Return what signs the URL of this name."""
    return f"{name}+of/ours{name[::-1]}=="


def url(name: str) -> str:
    """Return a URL with its signature."""
    return f"https://blobs.example/vhds/a.vhd?sv=1&se=2099-01-01T00:00:00Z&sig={quote(signature(name), safe='')}"


class Shown:
    """What is shown, and what of it should not be."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.secrets: list[str] = []

    def failing(self, call: Callable[[], object]) -> None:
        """Show the error of a call that must fail."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whichever it is
            self.texts += ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
            return
        raise AssertionError("it should have failed")


def show_values(shown: Shown, portal: Any) -> None:
    """Show each value that holds something secret."""
    from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
    from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import put_offer
    from airflow_provider_cpp.apis.product_ingestion.endpoints import configure, publish_product
    from airflow_provider_cpp.apis.product_ingestion.models import Job, Product, Submission
    from airflow_provider_cpp.core.checkpoint import TryContext
    from airflow_provider_cpp.core.models import OfferDocument, OfferRef
    from airflow_provider_cpp.core.params import AddImageParams, ImageVersion, PublishParams, UpdateParams
    from airflow_provider_cpp.transport.auth.acquire import acquire_token
    from airflow_provider_cpp.transport.auth.msal_session import AuthResponse
    from airflow_provider_cpp.transport.auth.token_source import token_source
    from airflow_provider_cpp.transport.settings import Settings
    from airflow_provider_cpp.transport.sync import SyncSession

    forms = ("client_secret", ""), ("certificate", "pfx"), ("certificate", "inline"), ("access_token", "")
    for kind, form in forms:
        made = portal.connection_for(kind, form)
        extra = made["extra"] | {"proxies": {"https": f"http://us:{PROXY}@proxy.example:3128"}}
        fields = {"host": made["host"], "login": made.get("login"), "password": made.get("password")}
        settings = Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, extra=made["extra"])
        proxied = Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **fields, extra=extra)
        shown.texts += [repr(one) for one in (settings, proxied, settings.credentials, SyncSession(settings))]
        source, grant = token_source(settings), acquire_token(settings)
        shown.texts += [repr(one) for one in (source, source.token(), grant, AuthResponse(grant.value, 1.0))]
        if kind == "access_token" or form == "inline":
            value = extra.get("private_key") or made["password"]
            shown.secrets += [value] if kind == "access_token" else [value.splitlines()[len(value.splitlines()) // 2]]
    document = {"disk": url("document")}
    image = ImageVersion("gold", "1.2.3", url("os"), {0: url("data")}, {"label": url("details")})
    call = put_offer(OfferRef("contoso", OFFER), document, None)
    shown.texts += [repr(one) for one in (call, OfferDocument(document, None), image)]
    offer, resource = OfferRef(None, OFFER), {"$schema": "x", "uri": url("resource")}
    orders = PublishParams(offer, (), TryContext(0), resources=(resource,)), UpdateParams(offer, resources=[resource])
    calls = configure(offer, [resource]), publish_product(offer, "1", [resource])
    shown.texts += [repr(one) for one in (*orders, *calls, AddImageParams(offer, image))]
    told = {
        "code": url("told"),
        "message": f"<p>{url('told')}</p>",
        "resourceId": url("told"),
        "details": [url("told")],
    }
    job = {"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": [told, url("told")]}
    shown.texts += [repr(Job.from_json(job)), Job.from_json(job).reason]
    entry = {
        "id": "submission/1/2",
        "status": url("told"),
        "result": url("told"),
        "target": {"targetType": url("told")},
    }
    product = {"id": "product/1", "identity": {"externalId": url("told")}, "type": url("told"), "alias": url("told")}
    shown.texts += [repr(Submission.from_json(entry)), repr(Product.from_json(product))]


def show_answers(shown: Shown, portal: Any, fault: Any) -> None:
    """Show what becomes of answers that repeat what nobody should see."""
    from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
    from airflow_provider_cpp.apis.cloud_partner_portal.endpoints import get_offer_status, list_publishers
    from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_message
    from airflow_provider_cpp.core.effects import send
    from airflow_provider_cpp.core.models import OfferRef
    from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
    from airflow_provider_cpp.transport.auth.acquire import acquire_token
    from airflow_provider_cpp.transport.base import transport_error
    from airflow_provider_cpp.transport.settings import Settings

    hook, token = CloudPartnerPortalHook(), portal.tokens[0]
    made = portal.connection_for("client_secret")
    settings = Settings.from_fields(
        CLOUD_PARTNER_PORTAL_API.endpoint,
        host=made["host"],
        login=made["login"],
        password=made["password"],
        extra=made["extra"],
    )
    for echo in (SECRET, quote_plus(SECRET), html.escape(SECRET), token, " ".join(token.split(".")[:2])):
        body = json.dumps({"error": "odd", "error_description": f"it was {echo} that came"})
        portal.inject(fault("answer", "token", status=400, body=body))
        shown.texts.append(repr(acquire_token(settings)))
    for echo in (url("told"), quote(url("told")), html.escape(url("told")), token):
        for body in (json.dumps({"error": {"code": echo, "message": echo}}), f"<p>{echo}</p>"):
            portal.inject(fault("answer", "status", status=400, body=body))
            shown.failing(lambda: hook.get_offer_status(OFFER))
        shown.texts.append(repr(parse_message({"messageHtml": f"<p>{echo}</p>", "level": echo})))
        shown.texts.append(repr(parse_message(echo)))
    portal.inject(fault("answer", "status", status=200, body=f"no JSON: {url('told')}"))
    shown.failing(lambda: hook.run(send(get_offer_status(OfferRef("contoso", OFFER)))))
    lost = OSError(f"http://us:{PROXY}@proxy.example")
    shown.texts.append(str(transport_error(list_publishers(), "https://portal.example", lost, sent=False)))


def show_fields(shown: Shown) -> None:
    """Show the fields of tasks as Airflow does, and a text that has their URLs in other words."""
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
    shown.texts += [json.dumps(_serialize_rendered_fields(task)) for task in (image, patch, resources, part)]
    names = ("os", "data", "details", "patch", "configure", "part")
    shown.texts += [str(redact(unquote(url(name)))) for name in names]

    def careless(document: dict[str, Any]) -> None:
        raise LookupError(f"no place for {url('careless')}")

    lines = Shown()
    task = UpdateOfferOperator(task_id="careless", offer_id=OFFER, change=careless)
    lines.failing(lambda: task.execute({}))
    shown.texts += [str(redact(text)) for text in lines.texts]


def show() -> Shown:
    """Show all, and collect it."""
    from partner_center_emulator import Emulator, Fault, ManualClock, Settings

    shown = Shown()

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.texts.append(f"{record.getMessage()} {record.args!r} {record.exc_text}")

    with Emulator(Settings(), ManualClock()) as portal:
        portal._identity.client_secret = SECRET
        portal.add_offer(OFFER)
        os.environ["AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT"] = json.dumps(portal.connection)
        root = logging.getLogger()
        root.setLevel(logging.DEBUG)
        root.addHandler(Collecting())
        show_values(shown, portal)
        show_answers(shown, portal, Fault)
        show_fields(shown)
        tokens = [*portal.tokens, *portal.assertions]
        pieces = [piece for token in tokens for piece in (token, *token.split(".")[1:])]
        shown.secrets += [SECRET, PROXY, "correct horse battery staple", *pieces]
        names = ("os", "data", "details", "patch", "document", "told", "careless", "configure", "part", "resource")
        shown.secrets += [signature(name) for name in names]
    return shown


def main(out: Path) -> None:
    """Show all with each copy, in a process of its own."""
    for line in sys.stdin:
        copy = line.rstrip("\n")
        child = os.fork()
        if child == 0:
            nothing = os.open(os.devnull, os.O_RDWR)  # the pipes are its parent's
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            sys.path.insert(0, copy)
            for name in [name for name in sys.modules if name.startswith("airflow_provider_cpp")]:
                del sys.modules[name]  # Airflow has looked at the one that is installed
            try:
                found = show()
                import airflow_provider_cpp

                assert Path(airflow_provider_cpp.__file__).is_relative_to(copy)
                value = {"texts": found.texts, "secrets": found.secrets}
                (out / f"{Path(copy).name}.json").write_text(json.dumps(value))
            except BaseException:  # noqa: BLE001 - the parent reads it
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        os.waitpid(child, 0)
        print(Path(copy).name, flush=True)  # noqa: T201 - it is what the test waits for


if __name__ == "__main__":
    main(Path(sys.argv[1]))
