# SPDX-License-Identifier: Apache-2.0
"""The pages on production and upgrades: their Airflow options exist, their connections work, their versions are current."""

from __future__ import annotations

import json
import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest
from airflow.configuration import conf

from airflow_provider_cpp.core.codec import VERSION
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.transport.settings import CA_BUNDLE_VARIABLES, DEFAULT_AUTHORITY

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PRODUCTION, UPGRADING = ((DOCS / name).read_text() for name in ("production.md", "upgrading.md"))
DEFAULT = "cloud_partner_portal_default"
VARIABLE = f"AIRFLOW_CONN_{DEFAULT.upper()}"


def blocks(language: str) -> list[str]:
    """Return the page's blocks in a language, with the placeholders in angle brackets filled in."""
    raw = re.findall(rf"^```{language}\n(.*?)^```", PRODUCTION, re.MULTILINE | re.DOTALL)
    return [re.sub(r"<([^<>]*)>", lambda name: name[1].replace(" ", "-"), block) for block in raw]


def test_every_documented_airflow_option_exists() -> None:
    """Each Airflow option on the pages is in Airflow's own description of its configuration."""
    described = conf.configuration_description
    named = {
        (section, option)
        for page in DOCS.rglob("*.md")
        for section, option in re.findall(r"`\[(\w+)\] (\w+)", page.read_text())
    }
    assert len(named) > 5
    assert [pair for pair in sorted(named) if pair[1] not in described.get(pair[0], {}).get("options", {})] == []


def test_the_documented_airflow_defaults() -> None:
    """Each Airflow default on the pages is Airflow's default."""
    for section, option, text, value in (
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
        assert text in PRODUCTION
        assert conf.configuration_description[section]["options"][option]["default"] == value, option


@pytest.mark.parametrize("line", blocks("console"), ids=["json", "uri"])
def test_the_environment_variables_are_connections(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each form of the variable is a connection with everything that a client secret needs."""
    name, _, value = shlex.split(line)[1].partition("=")
    monkeypatch.setenv(name, value)
    settings = CloudPartnerPortalHook().get_settings()
    credentials = settings.credentials
    assert name == VARIABLE
    assert settings.publisher_id == "contoso"
    assert settings.base_url == "https://cloudpartner.azure.com"
    assert credentials.client_id == "application-id"
    assert credentials.secret == "secret"
    assert credentials.tenant_id == "tenant-id"


def test_the_connections_are_valid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each connection of the page is valid and has the field that its section is about."""
    fields = {}
    for block in blocks("json"):
        connection = json.loads(block)
        if "conn_type" in connection:
            bundle = connection["extra"].get("verify")
            if bundle is not None:
                assert bundle == "/etc/ssl/certs/ca-certificates.crt"
                connection["extra"]["verify"] = str(tmp_path)  # the bundle of another system is elsewhere
            monkeypatch.setenv(VARIABLE, json.dumps(connection))
            settings = CloudPartnerPortalHook().get_settings()
            fields |= {"verify": settings.verify} if bundle else {}
            fields |= {"proxies": dict(settings.proxies)} if settings.proxies else {}
            fields |= {"authority": settings.authority} if settings.authority != DEFAULT_AUTHORITY else {}
    proxy = {"https": "http://proxy.contoso.example:3128"}
    assert fields == {"authority": "https://login.microsoftonline.us", "proxies": proxy, "verify": str(tmp_path)}


def test_the_file_backend_works(tmp_path: Path) -> None:
    """Airflow's file backend finds the connection in the page's file with the page's configuration."""
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
    assert f"`airflow-connections-{DEFAULT.replace('_', '-')}`" in PRODUCTION


def test_the_variables_for_a_ca_bundle() -> None:
    """The page has the variables for a CA bundle in their order."""
    assert " or ".join(f"`{name}`" for name in CA_BUNDLE_VARIABLES) in PRODUCTION


def test_the_documented_versions_of_stored_payloads() -> None:
    """The table of stored payloads has the versions that the code writes, and each version has golden files."""
    documented = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| (\d+|none) \|", UPGRADING, re.MULTILINE))
    assert documented == {
        "the specification of a deferred wait": str(VERSION),
        "the outcome of a deferred wait": str(VERSION),
        "the checkpoint of a publish or a cancel": str(VERSION),
        "the state of a rescheduled sensor": "none",
        "the operation that a task returned": "none",
    }
    golden = {path.stem for path in (ROOT / "tests/golden").glob("*.json")}
    kinds = ("wait-spec", "outcome", "checkpoint")
    assert golden >= {f"{kind}-{number}" for kind in kinds for number in range(1, VERSION + 1)}
