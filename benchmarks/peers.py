# SPDX-License-Identifier: Apache-2.0
"""The peers: triggers of other providers that poll a service for the state of some work until it ends.

Each runs as its package ships it. Where a client must be changed to use another server, a docstring describes the
change; no change adds or removes work.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

from benchmarks.subjects import TOKEN, Subject

NEVER = 4102444800.0
SECRET = "s" * 40


class HttpSensor(Subject):
    """The HTTP provider's sensor, deferred: it waits as long as the response is 404."""

    name = "http"
    label = "HTTP sensor"
    rate = 200.0

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection whose extra holds the headers."""
        extra = json.dumps({"Authorization": f"Bearer {TOKEN}"})
        host = {"schema": self.target.scheme, "host": "127.0.0.1", "port": self.target.ports[self.target.scheme]}
        return {"peer": {"conn_type": "http", **host, "extra": extra}}

    def prepare(self) -> None:
        """Import the trigger."""
        from airflow.providers.http.triggers.http import HttpSensorTrigger

        self._trigger = HttpSensorTrigger

    def trigger(self, number: int) -> Any:
        """Return the trigger."""
        return self._trigger(
            endpoint=f"sensor/{number}", http_conn_id="peer", poke_interval=self.target.interval, extra_options={}
        )


class DbtCloud(Subject):
    """dbt Cloud's job run."""

    name = "dbt"
    label = "dbt Cloud"
    rate = 200.0

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with a token."""
        return {"peer": {"conn_type": "dbt_cloud", "host": self.target.address, "login": "42", "password": SECRET}}

    def prepare(self) -> None:
        """Import the trigger; for the plain rows, replace the https that the hook writes into every URL."""
        from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook
        from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

        self._trigger = DbtCloudRunJobTrigger
        if self.target.scheme == "http":
            original = DbtCloudHook.get_request_url_params

            def plain(*args: Any, **options: Any) -> tuple[str, dict[str, Any]]:
                url, values = original(*args, **options)
                return url.replace("https://", "http://", 1), values

            DbtCloudHook.get_request_url_params = staticmethod(plain)

    def trigger(self, number: int) -> Any:
        """Return the trigger."""
        return self._trigger(
            conn_id="peer", run_id=number, end_time=NEVER, poll_interval=self.target.interval, account_id=None
        )


class DataFactory(Subject):
    """Azure Data Factory's pipeline run, with a client secret."""

    name = "data-factory"
    label = "Data Factory"
    rate = 60.0
    authenticates = True
    schemes = ("https",)  # Azure's library sends no token without TLS

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with a client secret."""
        extra = {"tenantId": "contoso", "subscriptionId": "s", "resource_group_name": "g", "factory_name": "f"}
        fields = {"login": "client", "password": SECRET, "extra": json.dumps(extra)}
        return {"peer": {"conn_type": "azure_data_factory", **fields}}

    def prepare(self) -> None:
        """Import the trigger; give the management client the stub's URL, for which the connection has no field."""
        os.environ["AZURE_AUTHORITY_HOST"] = self.target.authority
        from airflow.providers.microsoft.azure.hooks import data_factory
        from airflow.providers.microsoft.azure.triggers.data_factory import AzureDataFactoryTrigger

        client = data_factory.AsyncDataFactoryManagementClient
        data_factory.AsyncDataFactoryManagementClient = functools.partial(client, base_url=self.target.origin)
        self._trigger = AzureDataFactoryTrigger

    def trigger(self, number: int) -> Any:
        """Return the trigger."""
        return self._trigger(
            run_id=str(number),
            azure_data_factory_conn_id="peer",
            end_time=NEVER,
            resource_group_name="g",
            factory_name="f",
            check_interval=self.target.interval,
        )


class PowerBi(Subject):
    """Power BI's refresh of a dataset, with a client secret."""

    name = "power-bi"
    label = "Power BI"
    rate = 60.0
    authenticates = True

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with a client secret."""
        extra = {
            "tenant_id": "contoso",
            "base_url": self.target.origin,
            "authority": self.target.authority,
            "allowed_hosts": "127.0.0.1",
            "disable_instance_discovery": True,
            "trust_env": True,
        }
        fields = {"login": "client", "password": SECRET, "extra": json.dumps(extra)}
        return {"peer": {"conn_type": "powerbi", **fields}}

    def prepare(self) -> None:
        """Import the trigger."""
        from airflow.providers.microsoft.azure.triggers.powerbi import PowerBITrigger

        self._trigger = PowerBITrigger

    def trigger(self, number: int) -> Any:
        """Return the trigger."""
        return self._trigger(
            conn_id="peer",
            dataset_id=str(number),
            group_id="g",
            dataset_refresh_id=str(number),
            check_interval=self.target.interval,
        )


class Airbyte(Subject):
    """Airbyte's job, with client credentials."""

    name = "airbyte"
    label = "Airbyte"
    rate = 60.0
    authenticates = True

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return a connection with client credentials."""
        host = f"{self.target.origin}/api/public/v1"
        return {"peer": {"conn_type": "airbyte", "host": host, "login": "client", "password": SECRET}}

    def prepare(self) -> None:
        """Import the trigger."""
        from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger

        self._trigger = AirbyteSyncTrigger

    def trigger(self, number: int) -> Any:
        """Return the trigger."""
        return self._trigger(job_id=number, conn_id="peer", end_time=NEVER, poll_interval=self.target.interval)
