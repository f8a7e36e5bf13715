# SPDX-License-Identifier: Apache-2.0
"""The provider's metadata, as Airflow reads it."""

from __future__ import annotations

import copy
import importlib
import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.versions import DEFINES_ALL_OF_PROVIDER_INFO, FORM_FROM_HOOK, READS_FORM_FROM_PROVIDER_INFO, SHOWS_FORM

from airflow_provider_cpp.get_provider_info import CONNECTIONS, get_provider_info

TYPES = tuple(CONNECTIONS)


def check_connection_types(info: dict[str, Any]) -> None:
    """Validate the connection types by Airflow's own schema, with unknown keys refused.

    Airflow's schema allows unknown keys, so this function forbids them first.
    """
    schema = json.loads(files("airflow").joinpath("provider.yaml.schema.json").read_text())
    definition = schema["properties"]["connection-types"]
    definition["items"]["additionalProperties"] = False
    jsonschema.validate(info["connection-types"], definition | {"definitions": schema.get("definitions", {})})


def test_the_entry_point_leads_to_the_metadata() -> None:
    """Airflow finds the metadata through the distribution's entry point."""
    points = [
        point
        for point in entry_points(group="apache_airflow_provider")
        if point.value.startswith("airflow_provider_cpp")
    ]
    assert [point.load()() for point in points] == [get_provider_info()]


@pytest.mark.skipif(not DEFINES_ALL_OF_PROVIDER_INFO, reason="Airflow's schema has all keys from 3.3 on")
def test_the_connection_types_match_airflows_schema() -> None:
    """The connection types are valid by the definition in Airflow's provider.yaml schema."""
    check_connection_types(get_provider_info())


@pytest.mark.skipif(not DEFINES_ALL_OF_PROVIDER_INFO, reason="Airflow's schema has all keys from 3.3 on")
@pytest.mark.parametrize("key", ["conn-fields", "ui-field-behaviour", "hook-name"])
@pytest.mark.parametrize("index", range(len(TYPES)))
def test_a_misspelt_key_of_the_connection_type_is_detected(key: str, index: int) -> None:
    """A key with an underscore, which Airflow would ignore, fails the check."""
    info = copy.deepcopy(get_provider_info())
    connection_type = info["connection-types"][index]
    connection_type[key.replace("-", "_")] = connection_type.pop(key)
    with pytest.raises(jsonschema.ValidationError):
        check_connection_types(info)


@pytest.mark.skipif(not DEFINES_ALL_OF_PROVIDER_INFO, reason="Airflow's schema has all keys from 3.3 on")
@pytest.mark.parametrize("key", ["hidden-fields", "relabeling", "placeholders"])
@pytest.mark.parametrize("index", range(len(TYPES)))
def test_a_misspelt_key_of_the_field_behaviour_is_detected(key: str, index: int) -> None:
    """A misspelt key one level down fails the check too."""
    info = copy.deepcopy(get_provider_info())
    behaviour = info["connection-types"][index]["ui-field-behaviour"]
    behaviour[f"{key}s"] = behaviour.pop(key)
    with pytest.raises(jsonschema.ValidationError):
        check_connection_types(info)


def form_fields(conn_type: str, program_before: str = "") -> set[str]:
    """Return the fields of the connection form as a new Airflow process reads them."""
    if FORM_FROM_HOOK:
        program = (
            f"from {FORM_FROM_HOOK} import HookMetaService as Service\n"
            "hooks = {hook.connection_type: hook for hook in Service.hook_meta_data()}\n"
            f"print('FIELDS', *hooks['{conn_type}'].extra_fields)\n"
        )
    else:
        program = form_program(conn_type, program_before)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    line = next(line for line in result.stdout.splitlines() if line.startswith("FIELDS"))
    return {name.removeprefix(f"extra__{conn_type}__") for name in line.split()[1:]}


def form_program(conn_type: str, program_before: str) -> str:
    """Return a program that prints the fields that the providers manager has."""
    return (
        f"{program_before}\n"
        "from airflow.providers_manager import ProvidersManager\n"
        "widgets = ProvidersManager().connection_form_widgets\n"
        f"print('FIELDS', *sorted(name for name in widgets if name.startswith('extra__{conn_type}__')))\n"
    )


@pytest.mark.parametrize("path", [kind["hook-class-name"] for kind in get_provider_info()["connection-types"]])
def test_each_hook_class_defines_its_form(path: str) -> None:
    """Each hook class defines the form methods itself, since Airflow before 3.2 ignores inherited ones."""
    module, _, name = path.rpartition(".")
    own = vars(getattr(importlib.import_module(module), name))
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= own.keys()


@pytest.mark.parametrize("path", get_provider_info()["extra-links"])
def test_each_extra_link_can_be_imported(path: str) -> None:
    """Each extra link that the metadata names is a class of this package."""
    module, _, name = path.rpartition(".")
    assert isinstance(getattr(importlib.import_module(module), name), type)


@pytest.mark.skipif(not SHOWS_FORM, reason="Airflow 3.0 shows no form without Flask AppBuilder")
@pytest.mark.parametrize("conn_type", TYPES)
def test_the_form_shows_every_field(airflow_home: Path, conn_type: str) -> None:
    """Every declared field is where Airflow's web page looks it up."""
    assert form_fields(conn_type) == set(CONNECTIONS[conn_type]["conn-fields"])


@pytest.mark.skipif(not READS_FORM_FROM_PROVIDER_INFO, reason="the form comes from the hook before Airflow 3.2")
def test_a_misspelt_key_empties_the_form(airflow_home: Path) -> None:
    """With a misspelt key Airflow finds no field of the form, so the check above can fail."""
    misspell = (
        "import airflow_provider_cpp.get_provider_info as module\n"
        "right = module.get_provider_info\n"
        "def wrong():\n"
        "    info = right()\n"
        "    for kind in info['connection-types']:\n"
        "        kind['conn_fields'] = kind.pop('conn-fields')\n"
        "    return info\n"
        "module.get_provider_info = wrong\n"
    )
    assert [form_fields(conn_type, misspell) for conn_type in TYPES] == [set(), set()]


def airflow(*arguments: str) -> str:
    command = [sys.executable, "-m", "airflow", "providers", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_command_line_shows_the_provider(airflow_home: Path) -> None:
    """`airflow providers get --full` prints the provider with its connection types and their form."""
    shown = airflow("get", "--full", "airflow-provider-cpp", "--output", "json")
    assert [name for name in (*TYPES, "tenant_id") if name not in shown] == []


def test_the_command_line_lists_provider_and_hook(airflow_home: Path) -> None:
    """`airflow providers list` and `hooks` print the provider and its connection types."""
    listed, hooks = airflow("list", "--output", "json"), airflow("hooks", "--output", "json")
    assert "airflow-provider-cpp" in listed
    assert [name for name in TYPES if name not in hooks] == []
