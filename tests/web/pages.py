# SPDX-License-Identifier: Apache-2.0
"""The pages of Airflow 3.3's UI that the tests use, by the texts that a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping

from playwright.sync_api import Locator, Page, expect

OFFER = "contoso-vm"
DEFAULT = "cloud_partner_portal_default"
TYPE = "Cloud Partner Portal (Azure Marketplace)"
TESTED = re.compile("Test Connection (Successful|Failed)")


class ConnectionForm:
    """The opened form for a new connection of this package's type.

    :param page: the page to open it on.
    :param conn_id: the id of the connection.
    """

    def __init__(self, page: Page, conn_id: str) -> None:
        self.page = page
        page.goto("/connections")
        page.get_by_role("button", name="Add Connection").click()
        self.dialog = page.get_by_role("dialog")
        self.dialog.get_by_role("textbox", name="Connection ID").fill(conn_id)
        kind = self.dialog.get_by_role("combobox", name="Connection Type")
        kind.fill("Cloud Partner")
        page.get_by_role("option", name=TYPE).click()
        self.sections = self.dialog.locator("[data-scope=accordion][data-part=root]")
        self._is_open = "Standard Fields"

    def section(self, name: str) -> None:
        """Open a section; only one is open at a time."""
        if self._is_open != name:
            self._button(name).click()
            self._is_open = name

    def _button(self, section: str) -> Locator:
        return self.page.get_by_role("button", name=section, exact=True)

    def field(self, label: str) -> Locator:
        """Return the field with a label; most labels have no accessible name."""
        named = self.page.locator("label", has_text=re.compile(rf"^\s*{re.escape(label)}\s*\*?$"))
        return self.dialog.locator("[data-scope=field][data-part=root]").filter(has=named)

    def fields(self, section: str) -> list[Locator]:
        """List the fields of a section."""
        self.section(section)
        part = self.sections.locator("[data-part=item]").filter(has=self._button(section))
        fields = part.locator("[data-scope=field][data-part=root]")
        expect(fields.last).to_be_visible()
        return fields.all()

    def fill_standard(self, values: Mapping[str, str]) -> None:
        """Type values into fields by their labels."""
        self._fill("Standard Fields", values)

    def fill_extra(self, values: Mapping[str, str]) -> None:
        """Type values into the extra fields by their labels."""
        self._fill("Extra Fields", values)

    def _fill(self, section: str, values: Mapping[str, str]) -> None:
        self.section(section)
        for label, value in values.items():
            self.field(label).locator("input, textarea").first.fill(value)

    def save(self) -> None:
        """Save the connection."""
        self.dialog.get_by_role("button", name="Save").click()
        expect(self.dialog).to_be_hidden()


def row_of(page: Page, conn_id: str) -> Locator:
    """Return a connection's row in the list."""
    return page.get_by_role("row").filter(has=page.get_by_text(conn_id, exact=True))


def press_test(page: Page, conn_id: str) -> tuple[bool, str]:
    """Press the Test button of a connection in the list, and return whether the test succeeded, and its message."""
    row_of(page, conn_id).get_by_role("button", name="Test Connection").click()
    message = page.get_by_role("status").filter(has_text=TESTED)
    expect(message).to_be_visible()
    title, _, text = message.inner_text().partition("\n")
    return title == "Test Connection Successful", text.strip()
