# SPDX-License-Identifier: Apache-2.0
"""The provider metadata. Airflow reads it before it imports any other module of this provider, so it is literals only."""

from __future__ import annotations

from typing import Any

CLOUD_PARTNER_PORTAL = "cloud_partner_portal"
HOOK_NAME = "Cloud Partner Portal (Azure Marketplace)"
PRODUCT_INGESTION = "product_ingestion"
PRODUCT_INGESTION_HOOK_NAME = "Product Ingestion API (Azure Marketplace)"

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Authentication method",
        "description": "Each method needs fields of its own. Default: client_secret",
        "schema": {
            "type": ["string", "null"],
            "enum": ["client_secret", "certificate", "managed_identity", "workload_identity", "access_token"],
        },
    },
    "tenant_id": {
        "label": "Tenant ID",
        "description": "The Entra ID tenant in which the application is registered.",
        "schema": {"type": ["string", "null"]},
    },
    "publisher_id": {
        "label": "Publisher ID",
        "description": "Default publisher ID of tasks, for example contoso.",
        "schema": {"type": ["string", "null"]},
    },
    "certificate_path": {
        "label": "Certificate file",
        "description": "certificate: path of a PEM or PFX file with the certificate and its key, on every worker and triggerer.",
        "schema": {"type": ["string", "null"]},
    },
    "private_key_path": {
        "label": "Private key file",
        "description": "certificate: path of the PEM file with the key, if it is a separate file.",
        "schema": {"type": ["string", "null"]},
    },
    "private_key": {
        "label": "Private key",
        "description": "certificate: the key as PEM text, followed by its certificates, instead of files.",
        "schema": {"type": ["string", "null"], "format": "multiline"},
    },
    "thumbprint": {
        "label": "Certificate thumbprint",
        "description": "certificate: SHA-256 or SHA-1; needed only for a key without a certificate.",
        "schema": {"type": ["string", "null"]},
    },
    "send_x5c": {
        "label": "Send the certificate",
        "description": "certificate: for an application that trusts the certificate's issuer and subject instead of its thumbprint.",
        "schema": {"type": ["boolean", "null"]},
    },
    "object_id": {
        "label": "Managed identity object ID",
        "description": "managed_identity: selects a user-assigned identity if the login is empty.",
        "schema": {"type": ["string", "null"]},
    },
    "resource_id": {
        "label": "Managed identity resource ID",
        "description": "managed_identity: selects it by /subscriptions/... instead.",
        "schema": {"type": ["string", "null"]},
    },
    "token_file": {
        "label": "Federated token file",
        "description": "workload_identity: its path on every worker and triggerer. Default: AZURE_FEDERATED_TOKEN_FILE",
        "schema": {"type": ["string", "null"]},
    },
    "access_token": {
        "label": "Access token",
        "description": "access_token: a token that you acquired elsewhere; it cannot be renewed.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "authority": {
        "label": "Authority",
        "description": "The issuer of tokens. Default: https://login.microsoftonline.com",
        "schema": {"type": ["string", "null"]},
    },
    "scope": {
        "label": "Scope",
        "description": "The scope of tokens. Default: https://cloudpartner.azure.com/.default",
        "schema": {"type": ["string", "null"]},
    },
    "api_version": {
        "label": "API version",
        "description": "Default: 2017-10-31",
        "schema": {"type": ["string", "null"]},
    },
    "verify": {
        "label": "CA bundle",
        "description": "Path of a file of CA certificates, on every worker and triggerer. Default: REQUESTS_CA_BUNDLE, or the bundle of requests.",
        "schema": {"type": ["string", "null"]},
    },
    "request_timeout": {
        "label": "Request timeout",
        "description": "Seconds to connect, and for each wait for data; a whole request takes at most three times as long. Default: 60",
        "schema": {"type": ["number", "null"]},
    },
}

FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "API address",
        "port": "API port",
        "login": "Application (client) ID",
        "password": "Client secret, passphrase or token",
    },
    "placeholders": {"host": "https://cloudpartner.azure.com", "port": "443"},
}

INGESTION_FIELDS = CONNECTION_FIELDS | {
    "publisher_id": CONNECTION_FIELDS["publisher_id"]
    | {"description": "Optional: the token identifies the account. If set, offers and links show it."},
    "scope": CONNECTION_FIELDS["scope"]
    | {"description": "The scope of tokens. Default: https://graph.microsoft.com/.default"},
    "api_version": CONNECTION_FIELDS["api_version"]
    | {"description": "The highest schema version in which the API returns resources. Default: 2022-07-01"},
}

INGESTION_BEHAVIOUR: dict[str, Any] = FIELD_BEHAVIOUR | {
    "placeholders": {"host": "https://graph.microsoft.com/rp/product-ingestion"},
}

CONNECTIONS: dict[str, dict[str, Any]] = {
    CLOUD_PARTNER_PORTAL: {
        "connection-type": CLOUD_PARTNER_PORTAL,
        "hook-class-name": "airflow_provider_cpp.hooks.cloud_partner_portal.CloudPartnerPortalHook",
        "hook-name": HOOK_NAME,
        "ui-field-behaviour": FIELD_BEHAVIOUR,
        "conn-fields": CONNECTION_FIELDS,
    },
    PRODUCT_INGESTION: {
        "connection-type": PRODUCT_INGESTION,
        "hook-class-name": "airflow_provider_cpp.hooks.product_ingestion.ProductIngestionHook",
        "hook-name": PRODUCT_INGESTION_HOOK_NAME,
        "ui-field-behaviour": INGESTION_BEHAVIOUR,
        "conn-fields": INGESTION_FIELDS,
    },
}
"""The connection types with their hooks. The connection type selects the hook of a task."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider metadata, for the entry point ``apache_airflow_provider``."""
    integration = "Azure Marketplace"
    package = "airflow_provider_cpp"
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
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [f"{package}.operators.draft", f"{package}.operators.offer"],
            }
        ],
        "sensors": [{"integration-name": integration, "python-modules": [f"{package}.sensors.offer_status"]}],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": [f"{package}.hooks.cloud_partner_portal", f"{package}.hooks.product_ingestion"],
            }
        ],
        "triggers": [{"integration-name": integration, "python-modules": [f"{package}.triggers.offer_status"]}],
        "extra-links": [f"{package}.links.MarketplaceLink", f"{package}.links.PartnerCenterLink"],
        "connection-types": list(CONNECTIONS.values()),
    }
