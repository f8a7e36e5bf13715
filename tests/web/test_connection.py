# SPDX-License-Identifier: Apache-2.0
"""The connection in Airflow's UI: its form, and the connections that it creates."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from deployments.airflow import Deployment
from partner_center_emulator import Emulator
from playwright.sync_api import Page, Route, expect
from web.pages import DEFAULT, ConnectionForm, press_test, row_of

from airflow_provider_cpp.get_provider_info import CONNECTION_FIELDS

STANDARD = {
    "description": "Description",
    "host": "API address",
    "login": "Application (client) ID",
    "password": "Client secret, passphrase or token",
    "port": "API port",
}
EXTRA = {
    "tenant_id": "Tenant ID",
    "publisher_id": "Publisher ID",
    "auth": "Authentication method",
    "certificate_path": "Certificate file",
    "private_key_path": "Private key file",
    "private_key": "Private key",
    "thumbprint": "Certificate thumbprint",
    "send_x5c": "Send the certificate",
    "object_id": "Managed identity object ID",
    "resource_id": "Managed identity resource ID",
    "token_file": "Federated token file",
    "access_token": "Access token",
    "authority": "Authority",
    "scope": "Scope",
    "api_version": "API version",
    "verify": "CA bundle",
    "request_timeout": "Request timeout",
    "poll_interval": "Poll interval",
}
"""Every field that the settings read, by name, with its label in the form. The names are repeated here because the form is
made from provider_info, so a comparison with provider_info would not detect a wrong name."""

EXAMPLE = {
    "API address": "https://cloudpartner.azure.com",
    "API port": "443",
    "Application (client) ID": "00000000-1111-2222-3333-444444444444",
    "Client secret, passphrase or token": "not-a-real-secret-at-all",
}
EXAMPLE_EXTRA = {"Tenant ID": "55555555-6666-7777-8888-999999999999", "Publisher ID": "contoso"}


def shown_in(form: ConnectionForm) -> dict[str, tuple[str, str]]:
    """Return label and help of each extra field in the form, by the name of its input."""
    shown = {}
    for field in form.fields("Extra Fields"):
        name = field.locator("[name^=element_]").first.get_attribute("name") or ""
        label, text = (field.locator(f"[data-scope=field][data-part={part}]") for part in ("label", "helper-text"))
        shown[name.removeprefix("element_")] = (label.inner_text().strip(), text.inner_text().strip())
    return shown


def test_the_form_shows_the_extra_fields(page: Page, screenshot: Callable[..., None]) -> None:
    """Each extra field has its label and its help, and is stored under the name that the settings read."""
    form = ConnectionForm(page, "example")
    form.fill_extra(EXAMPLE_EXTRA)
    shown = shown_in(form)
    assert {name: label for name, (label, _) in shown.items()} == EXTRA
    assert list(shown)[:2] == ["tenant_id", "publisher_id"]  # all that a client secret needs
    assert shown == {name: (one["label"], one["description"]) for name, one in CONNECTION_FIELDS.items()}
    screenshot("connection-extra", form.field("Tenant ID"), form.field("Authentication method"), margin=16)


def test_the_standard_fields_have_labels(page: Page, screenshot: Callable[..., None]) -> None:
    """The standard fields have this package's labels, unused fields are hidden, and the secret is masked."""
    form = ConnectionForm(page, "example")
    labels = [one.locator("label").inner_text().strip() for one in form.fields("Standard Fields")]
    assert sorted(labels) == sorted(STANDARD.values())
    assert form.field("API address").get_by_role("textbox").get_attribute("placeholder") == EXAMPLE["API address"]
    form.fill_standard(EXAMPLE)
    secret = form.field(STANDARD["password"]).locator("input")
    assert secret.get_attribute("type") == "password"
    assert secret.input_value() == EXAMPLE[STANDARD["password"]]
    around = [
        form.dialog.get_by_role("heading", name="Add Connection"),
        form.dialog.get_by_role("button", name="Close"),
    ]
    screenshot("connection-form", *around, form.sections)


def test_a_token_is_masked_while_it_is_typed(page: Page) -> None:
    """The field for an access token is masked, as the one for the secret is."""
    form = ConnectionForm(page, "example")
    form.fill_extra({"Access token": "not-a-real-token-at-all"})
    assert form.field("Access token").locator("input").get_attribute("type") == "password"


def test_a_connection_made_through_the_form_works(page: Page, connected: Emulator, deployment: Deployment) -> None:
    """The values are stored under the names that the settings read, and the Test button signs in with them."""
    stored = deployment.api.request("GET", f"connections/{DEFAULT}")
    typed = connected.connection["extra"]
    assert {name: value for name, value in json.loads(stored["extra"]).items() if value is not None} == typed
    page.goto("/connections")
    good, text = press_test(page, DEFAULT)
    assert (good, text) == (True, f"Signed in to {connected.url}: publisher contoso has 1 offer")


def test_the_edit_form_never_shows_the_secret(page: Page, connected: Emulator, deployment: Deployment) -> None:
    """The edit form shows that there is a secret, but never the secret itself, also with Show value."""
    page.goto("/connections")
    row_of(page, DEFAULT).get_by_role("button", name="Edit Connection").click()
    form = page.get_by_role("dialog")
    form.get_by_role("button", name="Show value").first.click()
    expect(form.get_by_label(STANDARD["password"])).to_have_value("***")
    assert connected.client_secret not in page.content()


def test_a_secret_in_a_response_is_detected(
    visit: Callable[[str], AbstractContextManager[Page]], emulator: Emulator
) -> None:
    """A secret in any response to a page fails the test of that page."""

    def open_page() -> None:
        with visit("a-secret-in-a-response") as page:
            page.route("**/api/v2/version", lambda route: route.fulfill(json={"version": emulator.client_secret}))
            page.goto("/connections")
            expect(page.get_by_role("button", name="Add Connection")).to_be_visible()

    with pytest.raises(AssertionError, match="api/v2/version"):
        open_page()


def renamed(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant"] = form["extra_fields"].pop("tenant_id")


def relabelled(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant_id"]["schema"]["title"] = "Tenant"


def undescribed(form: dict[str, Any]) -> None:
    form["extra_fields"]["tenant_id"]["description"] = "Something."


def lost(form: dict[str, Any]) -> None:
    del form["extra_fields"]["tenant_id"]


@pytest.mark.parametrize("broken", [renamed, relabelled, undescribed, lost])
def test_a_broken_form_is_detected(page: Page, broken: Callable[[dict[str, Any]], None]) -> None:
    """If the form has another name, label or help for a field, or lacks it, the comparison above fails."""

    def change(route: Route) -> None:
        response = route.fetch()
        forms = response.json()
        broken(next(one for one in forms if one["connection_type"] == "cloud_partner_portal"))
        route.fulfill(response=response, json=forms)

    page.route("**/ui/connections/hook_meta", change)
    shown = shown_in(ConnectionForm(page, "example"))
    expected = {name: (label, CONNECTION_FIELDS[name]["description"]) for name, label in EXTRA.items()}
    assert {name for name in expected.keys() | shown.keys() if expected.get(name) != shown.get(name)} <= {
        "tenant_id",
        "tenant",
    }
    assert shown != expected
