# SPDX-License-Identifier: Apache-2.0
"""The pages for who runs a deployment: options of Airflow that exist, connections that work, versions that are the code's."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
from airflow.configuration import conf

from airflow_provider_cpp.core import checkpoint, outcome, wait_spec
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.settings import CA_BUNDLE_VARIABLES, DEFAULT_AUTHORITY

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DEPLOYMENT, UPGRADING = ((DOCS / name).read_text() for name in ("production.md", "upgrading.md"))
DEFAULT = "cloud_partner_portal_default"
VARIABLE = f"AIRFLOW_CONN_{DEFAULT.upper()}"


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language, what stands in angle brackets filled in."""
    found = re.findall(rf"^```{language}\n(.*?)^```", DEPLOYMENT, re.MULTILINE | re.DOTALL)
    return [re.sub(r"<([^<>]*)>", lambda name: name[1].replace(" ", "-"), block) for block in found]


def test_every_option_of_airflow_that_is_named_is_one() -> None:
    """What the pages call an option of Airflow stands in Airflow's own description of its configuration."""
    described = conf.configuration_description
    named = {
        (section, option)
        for page in DOCS.rglob("*.md")
        for section, option in re.findall(r"`\[(\w+)\] (\w+)", page.read_text())
    }
    assert len(named) > 5
    assert [pair for pair in sorted(named) if pair[1] not in described.get(pair[0], {}).get("options", {})] == []


def test_the_defaults_of_airflow_that_are_named_are_airflow_s() -> None:
    """Where a page says how Airflow is set unless somebody sets it, it is so."""
    for section, option, said, value in (
        ("triggerer", "capacity", "`[triggerer] capacity` (1,000 by default)", "1000"),
        (
            "triggerer",
            "triggerer_health_check_threshold",
            "`[triggerer] triggerer_health_check_threshold` (30 seconds)",
            "30",
        ),
        ("operators", "default_deferrable", "It is off by default", "false"),
        ("state_store", "clear_on_success", "leave `[state_store] clear_on_success` off", "False"),
    ):
        assert said in DEPLOYMENT
        assert (option, conf.configuration_description[section]["options"][option]["default"]) == (option, value)


@pytest.mark.parametrize("line", blocks("console"), ids=["json", "uri"])
def test_the_environment_variables_are_connections(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form of the variable is a connection with all that a client secret needs."""
    name, _, value = shlex.split(line)[1].partition("=")
    monkeypatch.setenv(name, value)
    settings = CloudPartnerPortalHook().get_settings()
    who = settings.credentials
    assert (name, settings.publisher_id, settings.base_url) == (VARIABLE, "contoso", "https://cloudpartner.azure.com")
    assert (who.client_id, who.secret, who.tenant_id) == ("application-id", "secret", "tenant-id")


def test_the_connections_are_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each connection of the page is read as it stands, and says what its section is about."""
    found = {}
    for block in blocks("json"):
        connection = json.loads(block)
        if "conn_type" in connection:
            bundle = connection["extra"].get("verify")
            if bundle is not None:
                assert bundle == "/etc/ssl/certs/ca-certificates.crt"
                connection["extra"]["verify"] = str(tmp_path)  # another system has its bundle elsewhere
            monkeypatch.setenv(VARIABLE, json.dumps(connection))
            settings = CloudPartnerPortalHook().get_settings()
            found |= {"verify": settings.verify} if bundle else {}
            found |= {"proxies": dict(settings.proxies)} if settings.proxies else {}
            found |= {"authority": settings.authority} if settings.authority != DEFAULT_AUTHORITY else {}
    proxy = {"https": "http://proxy.contoso.example:3128"}
    assert found == {"authority": "https://login.microsoftonline.us", "proxies": proxy, "verify": str(tmp_path)}


def test_the_file_backend_is_one(tmp_path: Path) -> None:
    """The backend that Airflow brings along finds the connection in the file of the page, as the page sets it up."""
    example, vault = blocks("ini")
    (content,) = [block for block in blocks("json") if DEFAULT in json.loads(block)]
    file = tmp_path / "connections.json"
    file.write_text(content)
    settings = ConfigParser()
    settings.read_string(example.replace("/etc/airflow/secrets/connections.json", str(file)))
    module, _, name = settings["secrets"]["backend"].rpartition(".")
    backend = getattr(__import__(module, fromlist=[name]), name)(**json.loads(settings["secrets"]["backend_kwargs"]))
    assert backend.get_connection(DEFAULT).extra_dejson["publisher_id"] == "contoso"
    assert "airflow-connections" in json.loads(vault.partition("backend_kwargs = ")[2])["connections_prefix"]
    assert f"`airflow-connections-{DEFAULT.replace('_', '-')}`" in DEPLOYMENT


def test_the_variables_for_a_bundle_are_those_that_count() -> None:
    """The page names the variables in their order."""
    assert " or ".join(f"`{name}`" for name in CA_BUNDLE_VARIABLES) in DEPLOYMENT


def test_the_versions_of_what_outlives_an_upgrade_are_the_code_s() -> None:
    """The table of what one release leaves for another has the versions that are written, and each has golden files."""
    found = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| (\d+|none) \|", UPGRADING, re.MULTILINE))
    assert found == {
        "the specification of a deferred wait": str(wait_spec.VERSION),
        "the outcome of a deferred wait": str(outcome.VERSION),
        "the checkpoint of a publish or a cancel": str(checkpoint.VERSION),
        "the state of a rescheduled sensor": "none",
        "the operation that a task returned": "none",
    }
    golden = {path.stem for path in (ROOT / "tests/golden").glob("*.json")}
    versions = {"wait-spec": wait_spec.VERSION, "outcome": outcome.VERSION, "checkpoint": checkpoint.VERSION}
    assert golden >= {f"{kind}-{number}" for kind, last in versions.items() for number in range(1, last + 1)}
