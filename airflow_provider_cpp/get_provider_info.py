# SPDX-License-Identifier: Apache-2.0
"""The provider metadata. Airflow reads it before it imports any other module of this provider, so it needs none of them."""

from __future__ import annotations

from typing import Any

CLOUD_PARTNER_PORTAL = "cloud_partner_portal"
PRODUCT_INGESTION = "product_ingestion"


def _field(label: str, description: str, kind: str = "string", **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"], **schema}}


CONNECTION_FIELDS = {
    "tenant_id": _field("Tenant ID", "The Entra ID tenant in which the application is registered."),
    "publisher_id": _field("Publisher ID", "Default publisher ID of tasks, for example contoso."),
    "auth": _field(
        "Authentication method",
        "Each method needs fields of its own. Default: client_secret",
        enum=["client_secret", "certificate", "managed_identity", "workload_identity", "access_token"],
    ),
    "certificate_path": _field(
        "Certificate file",
        "certificate: path of a PEM or PFX file with the certificate and its key, on every worker and triggerer.",
    ),
    "private_key_path": _field(
        "Private key file", "certificate: path of the PEM file with the key, if it is a separate file."
    ),
    "private_key": _field(
        "Private key",
        "certificate: the key as PEM text, followed by its certificates, instead of files.",
        format="multiline",
    ),
    "thumbprint": _field(
        "Certificate thumbprint", "certificate: SHA-256 or SHA-1; needed only for a key without a certificate."
    ),
    "send_x5c": _field(
        "Send the certificate",
        "certificate: for an application that trusts the certificate's issuer and subject instead of its thumbprint.",
        kind="boolean",
    ),
    "object_id": _field(
        "Managed identity object ID", "managed_identity: selects a user-assigned identity if the login is empty."
    ),
    "resource_id": _field(
        "Managed identity resource ID", "managed_identity: selects it by /subscriptions/... instead."
    ),
    "token_file": _field(
        "Federated token file",
        "workload_identity: its path on every worker and triggerer. Default: AZURE_FEDERATED_TOKEN_FILE",
    ),
    "access_token": _field(
        "Access token", "access_token: a token that you acquired elsewhere; it cannot be renewed.", format="password"
    ),
    "authority": _field("Authority", "The issuer of tokens. Default: https://login.microsoftonline.com"),
    "scope": _field("Scope", "The scope of tokens. Default: https://cloudpartner.azure.com/.default"),
    "api_version": _field("API version", "Default: 2017-10-31"),
    "verify": _field(
        "CA bundle",
        "Path of a file of CA certificates, on every worker and triggerer. Default: REQUESTS_CA_BUNDLE, or the bundle of requests.",
    ),
    "request_timeout": _field(
        "Request timeout",
        "Seconds to connect, and for each wait for data; a whole request takes at most three times as long. Default: 60",
        kind="number",
    ),
    "poll_interval": _field(
        "Poll interval",
        "Seconds between two polls of tasks that name no poll_interval. Default: 60 to 600, by the age of the step.",
        kind="number",
    ),
}

PLACEHOLDERS = {
    "host": "https://cloudpartner.azure.com",
    "port": "443",
    "login": "00000000-0000-0000-0000-000000000000",
}

FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "API address",
        "port": "API port",
        "login": "Application (client) ID",
        "password": "Client secret, passphrase or token",
    },
    "placeholders": PLACEHOLDERS,
}

INGESTION_FIELDS = CONNECTION_FIELDS | {
    "publisher_id": _field(
        "Publisher ID", "Optional: the token identifies the account. If set, offers and links show it."
    ),
    "scope": _field("Scope", "The scope of tokens. Default: https://graph.microsoft.com/.default"),
    "api_version": _field(
        "API version", "The highest schema version in which the API returns resources. Default: 2022-07-01"
    ),
}

CONNECTIONS: dict[str, dict[str, Any]] = {
    CLOUD_PARTNER_PORTAL: {
        "connection-type": CLOUD_PARTNER_PORTAL,
        "hook-class-name": "airflow_provider_cpp.hooks.cloud_partner_portal.CloudPartnerPortalHook",
        "hook-name": "Cloud Partner Portal (Azure Marketplace)",
        "ui-field-behaviour": FIELD_BEHAVIOUR,
        "conn-fields": CONNECTION_FIELDS,
    },
    PRODUCT_INGESTION: {
        "connection-type": PRODUCT_INGESTION,
        "hook-class-name": "airflow_provider_cpp.hooks.product_ingestion.ProductIngestionHook",
        "hook-name": "Product Ingestion API (Azure Marketplace)",
        "ui-field-behaviour": FIELD_BEHAVIOUR
        | {"placeholders": PLACEHOLDERS | {"host": "https://graph.microsoft.com/rp/product-ingestion"}},
        "conn-fields": INGESTION_FIELDS,
    },
}
"""The connection types with their hooks. The connection type selects the hook of a task."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider metadata, for the entry point ``apache_airflow_provider``."""
    integration = "Azure Marketplace"
    package = "airflow_provider_cpp"

    def modules(*names: str) -> list[dict[str, Any]]:
        return [{"integration-name": integration, "python-modules": [f"{package}.{name}" for name in names]}]

    return {
        "package-name": "airflow-provider-cpp",
        "name": "Cloud Partner Portal",
        "description": "Publish Azure Marketplace offers through the Cloud Partner Portal API or the Product Ingestion API.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-overview",
                "tags": ["azure"],
            }
        ],
        "operators": modules("operators.draft", "operators.offer"),
        "sensors": modules("sensors.offer_status"),
        "hooks": modules("hooks.cloud_partner_portal", "hooks.product_ingestion"),
        "triggers": modules("triggers.offer_status"),
        "extra-links": [f"{package}.links.MarketplaceLink", f"{package}.links.PartnerCenterLink"],
        "connection-types": list(CONNECTIONS.values()),
    }
