# SPDX-License-Identifier: Apache-2.0
"""What Airflow reads about this provider before it imports anything of it: literals only."""

from __future__ import annotations

from typing import Any

CLOUD_PARTNER_PORTAL = "cloud_partner_portal"
HOOK_NAME = "Cloud Partner Portal (Azure Marketplace)"
PRODUCT_INGESTION = "product_ingestion"
PRODUCT_INGESTION_HOOK_NAME = "Product Ingestion API (Azure Marketplace)"

CONNECTION_FIELDS: dict[str, dict[str, Any]] = {
    "auth": {
        "label": "Sign in with",
        "description": "How the application proves itself; each way needs fields of its own. Empty: client_secret",
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
        "description": "The publisher that is meant where a task names none, for example contoso.",
        "schema": {"type": ["string", "null"]},
    },
    "certificate_path": {
        "label": "Certificate file",
        "description": "certificate: path of a PEM or PFX file with certificate and key, on every worker and triggerer.",
        "schema": {"type": ["string", "null"]},
    },
    "private_key_path": {
        "label": "Private key file",
        "description": "certificate: path of the key's PEM file, if it is a file of its own.",
        "schema": {"type": ["string", "null"]},
    },
    "private_key": {
        "label": "Private key",
        "description": "certificate: the key as PEM text, its certificates after it, instead of files.",
        "schema": {"type": ["string", "null"], "format": "multiline"},
    },
    "thumbprint": {
        "label": "Certificate thumbprint",
        "description": "certificate: SHA-256 or SHA-1, only where there is a key and no certificate beside it.",
        "schema": {"type": ["string", "null"]},
    },
    "send_x5c": {
        "label": "Send the certificate",
        "description": "certificate: for an application that trusts its issuer and subject, instead of its thumbprint.",
        "schema": {"type": ["boolean", "null"]},
    },
    "object_id": {
        "label": "Managed identity's object ID",
        "description": "managed_identity: names one that was assigned to the machine, where the login is empty.",
        "schema": {"type": ["string", "null"]},
    },
    "resource_id": {
        "label": "Managed identity's resource ID",
        "description": "managed_identity: the same by /subscriptions/...",
        "schema": {"type": ["string", "null"]},
    },
    "token_file": {
        "label": "Federated token file",
        "description": "workload_identity: its path on every worker and triggerer. Empty: AZURE_FEDERATED_TOKEN_FILE",
        "schema": {"type": ["string", "null"]},
    },
    "access_token": {
        "label": "Access token",
        "description": "access_token: a token that somebody else acquired; it cannot be renewed.",
        "schema": {"type": ["string", "null"], "format": "password"},
    },
    "authority": {
        "label": "Authority",
        "description": "Where tokens come from. Empty: https://login.microsoftonline.com",
        "schema": {"type": ["string", "null"]},
    },
    "scope": {
        "label": "Scope",
        "description": "What the token is for. Empty: https://cloudpartner.azure.com/.default",
        "schema": {"type": ["string", "null"]},
    },
    "api_version": {
        "label": "API version",
        "description": "Empty: 2017-10-31",
        "schema": {"type": ["string", "null"]},
    },
    "verify": {
        "label": "CA bundle",
        "description": "Path of a file of certificate authorities, on every worker and triggerer. Empty: REQUESTS_CA_BUNDLE, or what comes with requests.",
        "schema": {"type": ["string", "null"]},
    },
    "request_timeout": {
        "label": "Request timeout",
        "description": "Seconds for connecting, and for each wait for data; a whole exchange takes at most three times as long. Empty: 60",
        "schema": {"type": ["number", "null"]},
    },
}

FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Portal address",
        "port": "Portal port",
        "login": "Application (client) ID",
        "password": "Client secret, passphrase or token",
    },
    "placeholders": {"host": "https://cloudpartner.azure.com", "port": "443"},
}

INGESTION_FIELDS = CONNECTION_FIELDS | {
    "publisher_id": CONNECTION_FIELDS["publisher_id"]
    | {"description": "Not needed: the token names the account. Given, offers and links are shown with it."},
    "scope": CONNECTION_FIELDS["scope"]
    | {"description": "What the token is for. Empty: https://graph.microsoft.com/.default"},
    "api_version": CONNECTION_FIELDS["api_version"]
    | {"description": "The highest version of a schema in which resources are wanted. Empty: 2022-07-01"},
}

INGESTION_BEHAVIOUR: dict[str, Any] = FIELD_BEHAVIOUR | {
    "relabeling": FIELD_BEHAVIOUR["relabeling"] | {"host": "API address"},
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
"""The connection types, each with the hook that belongs to it; tasks find theirs by the connection's type."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata; the entry point ``apache_airflow_provider`` names this function."""
    integration = "Azure Marketplace"
    package = "airflow_provider_cpp"
    return {
        "package-name": "airflow-provider-cpp",
        "name": "Cloud Partner Portal",
        "description": "Publish Azure Marketplace offers through the Cloud Partner Portal API, or its successor.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://learn.microsoft.com/azure/marketplace/cloud-partner-portal-api-overview",
                "tags": ["azure"],
            }
        ],
        "operators": [{"integration-name": integration, "python-modules": [f"{package}.operators.offer"]}],
        "sensors": [{"integration-name": integration, "python-modules": [f"{package}.sensors.offer_status"]}],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": [f"{package}.hooks.cloud_partner_portal", f"{package}.hooks.product_ingestion"],
            }
        ],
        "triggers": [{"integration-name": integration, "python-modules": [f"{package}.triggers.offer_status"]}],
        "extra-links": [f"{package}.links.MarketplaceLink", f"{package}.links.PublisherPortalLink"],
        "connection-types": list(CONNECTIONS.values()),
    }
