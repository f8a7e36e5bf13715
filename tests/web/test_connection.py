# SPDX-License-Identifier: Apache-2.0
"""The connection on Airflow's web page: its form, and what comes of what is typed there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from deployments.airflow import Deployment
from partner_center_emulator import Emulator
from playwright.sync_api import Page, Route, expect
from web.pages import DEFAULT, ConnectionForm, press_test, row_of

from airflow_provider_cpp.get_provider_info import CONNECTION_FIELDS

STANDARD = {
    "description": "Description",
    "host": "Portal address",
    "login": "Application (client) ID",
    "password": "Client secret, passphrase or token",
    "port": "Portal port",
}
OURS = {
    "auth": "Sign in with",
    "tenant_id": "Tenant ID",
    "publisher_id": "Publisher ID",
    "certificate_path": "Certificate file",
    "private_key_path": "Private key file",
    "private_key": "Private key",
    "thumbprint": "Certificate thumbprint",
    "send_x5c": "Send the certificate",
    "object_id": "Managed identity's object ID",
    "resource_id": "Managed identity's resource ID",
    "token_file": "Federated token file",
    "access_token": "Access token",
    "authority": "Authority",
    "scope": "Scope",
    "api_version": "API version",
    "verify": "CA bundle",
    "request_timeout": "Request timeout",
}
"""Every field that the settings read and the form is to show, by what it is called; written down a second time, since
the form is made of provider_info, and a name that is wrong there would be equal to itself."""

EXAMPLE = {
    "Portal address": "https://cloudpartner.azure.com",
    "Portal port": "443",
    "Application (client) ID": "00000000-1111-2222-3333-444444444444",
    "Client secret, passphrase or token": "not-a-real-secret-at-all",
}
EXAMPLE_EXTRA = {"Tenant ID": "55555555-6666-7777-8888-999999999999", "Publisher ID": "contoso"}


def shown_in(form: ConnectionForm) -> dict[str, tuple[str, str]]:
    """Return our fields as the form shows them: label and help, by the name under which the page keeps them."""
    found = {}
    for field in form.fields("Extra Fields"):
        name = field.locator("[name^=element_]").first.get_attribute("name") or ""
        label, text = (field.locator(f"[data-scope=field][data-part={part}]") for part in ("label", "helper-text"))
        found[name.removeprefix("element_")] = (label.inner_text().strip(), text.inner_text().strip())
    return found


def test_the_form_shows_our_fields(page: Page, picture: Callable[..., None]) -> None:
    """Each field of ours has its label and its help, and is kept under the name that the settings read."""
    form = ConnectionForm(page, "example")
    form.fill_extra(EXAMPLE_EXTRA)
    shown = shown_in(form)
    assert {name: label for name, (label, _) in shown.items()} == OURS
    assert shown == {name: (one["label"], one["description"]) for name, one in CONNECTION_FIELDS.items()}
    picture("connection-extra", form.field("Sign in with"), form.field("Publisher ID"), margin=16)


def test_the_standard_fields_say_what_they_are_for(page: Page, picture: Callable[..., None]) -> None:
    """Address, port, application and secret have our words, what we do not use is not there, and a secret is dots."""
    form = ConnectionForm(page, "example")
    labels = [one.locator("label").inner_text().strip() for one in form.fields("Standard Fields")]
    assert sorted(labels) == sorted(STANDARD.values())
    assert form.field("Portal address").get_by_role("textbox").get_attribute("placeholder") == EXAMPLE["Portal address"]
    form.fill_standard(EXAMPLE)
    secret = form.field(STANDARD["password"]).locator("input")
    assert (secret.get_attribute("type"), secret.input_value()) == ("password", EXAMPLE[STANDARD["password"]])
    around = [
        form.dialog.get_by_role("heading", name="Add Connection"),
        form.dialog.get_by_role("button", name="Close"),
    ]
    picture("connection-form", *around, form.sections)


def test_a_token_is_masked_while_it_is_typed(page: Page) -> None:
    """The field for an access token shows dots, as the one for the secret does."""
    form = ConnectionForm(page, "example")
    form.fill_extra({"Access token": "not-a-real-token-at-all"})
    assert form.field("Access token").locator("input").get_attribute("type") == "password"


def test_a_connection_made_through_the_form_works(page: Page, connected: Emulator, deployment: Deployment) -> None:
    """What was typed is kept under the names that the settings read, and the Test button signs in with it."""
    kept = deployment.api.ask("GET", f"connections/{DEFAULT}")
    typed = connected.connection["extra"]
    assert {name: value for name, value in json.loads(kept["extra"]).items() if value is not None} == typed
    page.goto("/connections")
    good, text = press_test(page, DEFAULT)
    assert (good, text) == (True, f"Signed in to {connected.url}: publisher contoso has 1 offer")


def test_a_secret_never_comes_back(page: Page, connected: Emulator, deployment: Deployment) -> None:
    """Whoever edits the connection sees that there is a secret, not which one, also where it is to be shown."""
    page.goto("/connections")
    row_of(page, DEFAULT).get_by_role("button", name="Edit Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Show value").first.click()
    expect(form.get_by_label(STANDARD["password"])).to_have_value("***")
    assert connected.client_secret not in page.content()


def test_a_secret_that_comes_is_seen(visit: Callable[[str], Any], portal: Emulator) -> None:
    """Whatever Airflow sends to a page of these tests is looked through: a secret in any answer fails the test."""

    def look() -> None:
        with visit("a-secret-comes") as page:
            page.route("**/api/v2/version", lambda route: route.fulfill(json={"version": portal.client_secret}))
            page.goto("/connections")
            expect(page.get_by_role("button", name="Add Connection")).to_be_visible()

    with pytest.raises(AssertionError, match="api/v2/version"):
        look()


def renamed(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant"] = form["extra_fields"].pop("tenant_id")


def relabelled(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant_id"]["schema"]["title"] = "Tenant"


def undescribed(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant_id"]["description"] = "Something."


def lost(form: dict[str, Any]) -> None:
    del form["extra_fields"]["tenant_id"]


@pytest.mark.parametrize("broken", [renamed, relabelled, undescribed, lost])
def test_a_form_that_is_broken_is_seen(page: Page, broken: Callable[[dict[str, Any]], None]) -> None:
    """Where provider info has another name, label or help for a field, or none, the comparison above fails."""

    def change(route: Route) -> None:
        answer = route.fetch()
        forms = answer.json()
        broken(next(one for one in forms if one["connection_type"] == "cloud_partner_portal"))
        route.fulfill(response=answer, json=forms)

    page.route("**/ui/connections/hook_meta", change)
    shown = shown_in(ConnectionForm(page, "example"))
    right = {name: (label, CONNECTION_FIELDS[name]["description"]) for name, label in OURS.items()}
    assert {name for name in right.keys() | shown.keys() if right.get(name) != shown.get(name)} <= {
        "tenant_id",
        "tenant",
    }
    assert shown != right
