# SPDX-License-Identifier: Apache-2.0
"""The table can say that something was lost, doubled or canceled, and that a fault struck nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from e2e.scenario import Scenario


class Portal:
    """Asks a scenario's portal as a client does."""

    def __init__(self, scenario: Scenario) -> None:
        self.portal = scenario.portal
        self.session = requests.Session()
        self.session.trust_env = False
        form = {
            "grant_type": "client_credentials",
            "client_id": self.portal.client_id,
            "client_secret": self.portal.client_secret,
            "scope": "https://cloudpartner.azure.com/.default",
        }
        path = f"{self.portal.tenant_id}/oauth2/v2.0/token"
        token = self.session.post(f"{self.portal.url}/{path}", data=form, verify=self.portal.ca_file, timeout=9).json()
        self.session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def order(self, offer: str, kind: str) -> int:
        """Order something of an offer; returns the answer's status."""
        url = f"{self.portal.url}/api/publishers/contoso/offers/{offer}/{kind}?api-version=2017-10-31"
        return self.session.post(url, json={"metadata": {}}, verify=self.portal.ca_file, timeout=9).status_code


def stand_in(home: Path, *failed: int) -> Any:
    """Return a deployment that does nothing; the tasks of these map indexes failed there."""
    tasks = [
        {"map_index": index, "state": "failed" if index in failed else "success", "rendered_fields": {"offer_id": name}}
        for index, name in enumerate(("counted-0", "counted-1"))
    ]
    api = SimpleNamespace(
        set_connection=lambda *_: None,
        run=lambda *_names: {"state": "failed" if failed else "success"},
        task_instances=lambda *_names: tasks,
    )
    return SimpleNamespace(name="none", home=home, api=api)


@pytest.mark.parametrize(
    ("orders", "failed", "counts"),
    [
        (("0 publish", "1 publish"), (), (2, 2, 0, 0, 0)),
        (("0 publish",), (), (1, 1, 1, 0, 0)),
        (("0 publish", "1 publish"), (1,), (2, 2, 1, 0, 0)),
        (("0 publish", "1 publish", "1 publish"), (), (2, 2, 0, 1, 0)),
        (("0 publish", "1 publish", "1 cancel"), (), (2, 1, 1, 0, 2)),
    ],
    ids=["as it should be", "one never published", "one task failed", "one published twice", "one canceled"],
)
def test_what_went_wrong_is_counted(
    orders: tuple[str, ...], failed: tuple[int, ...], counts: tuple[int, ...], tmp_path: Path
) -> None:
    """Published, gone live, lost, doubled and canceled are what was asked of the portal and what became of it."""
    with Scenario(stand_in(tmp_path, *failed), "counted", offers=2) as scenario:
        client = Portal(scenario)
        for order in orders:
            number, kind = order.split()
            client.order(f"counted-{number}", kind)
        row = scenario.count()
    assert (row.published, row.live, row.lost, row.doubled, row.canceled) == counts
    assert row.is_good == (counts == (2, 2, 0, 0, 0))


def test_a_second_order_counts_though_the_portal_refused_it(tmp_path: Path) -> None:
    """A portal that refuses a second publish is no excuse for having ordered it."""
    with Scenario(stand_in(tmp_path), "counted", offers=2) as scenario:
        client = Portal(scenario)
        answers = [client.order("counted-0", "publish"), client.order("counted-0", "publish")]
        assert (answers, scenario.count().doubled) == ([202, 409], 1)


def test_a_fault_that_strikes_nothing_fails_its_scenario(tmp_path: Path) -> None:
    """Nothing struck is an error, not a row of zeros."""
    with (
        Scenario(stand_in(tmp_path), "counted", offers=2) as scenario,
        pytest.raises(AssertionError, match="nothing was struck"),
    ):
        scenario.note("a triggerer that waited for nothing", strikes=0)
