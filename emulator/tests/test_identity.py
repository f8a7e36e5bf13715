# SPDX-License-Identifier: Apache-2.0
"""The emulated Entra ID: real tokens, and the error codes of the real one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta

import jwt
import msal
import pytest
import requests
from emulator_client import Client

RESOURCE = "https://cloudpartner.azure.com"


def test_a_token_is_signed_and_for_the_cpp_api(start_client: Callable[..., Client]) -> None:
    """A token verifies against the published keys, with audience, tenant, application and expiry."""
    client = start_client()
    configuration = requests.get(
        f"{client.emulator.url}/{client.emulator.tenant_id}/v2.0/.well-known/openid-configuration",
        verify=str(client.emulator.ca_file),
        timeout=10,
    ).json()
    keys = requests.get(configuration["jwks_uri"], verify=str(client.emulator.ca_file), timeout=10).json()
    key = jwt.PyJWK(keys["keys"][0])
    claims = jwt.decode(client.token(), key.key, algorithms=["RS256"], audience=RESOURCE)
    assert claims["tid"] == client.emulator.tenant_id
    assert claims["appid"] == client.emulator.client_id
    assert 3590 <= claims["exp"] - time.time() <= 3602


def test_the_v1_endpoint_writes_numbers_as_text(start_client: Callable[..., Client]) -> None:
    """The v1 endpoint accepts a resource and writes its numbers as text; v2 accepts a scope and writes numbers."""
    client = start_client()
    old = client.sign_in("oauth2/token", resource=RESOURCE).json()
    new = client.sign_in().json()
    assert old["expires_in"] == "3600"
    assert old["resource"] == RESOURCE
    assert new["expires_in"] == 3600
    assert client.request("GET", "/api/publishers", token=old["access_token"]).status_code == 200


REJECTIONS = [
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
    ({"tenant": "elsewhere"}, 400, "invalid_tenant", 90002),
    ({"scope": "https://graph.example/.default"}, 400, "invalid_resource", 500011),
    ({"scope": RESOURCE}, 400, "invalid_resource", 500011),
    ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
]


@pytest.mark.parametrize(("changes", "status", "error", "number"), REJECTIONS)
def test_a_rejected_sign_in_has_entra_s_error_code(
    start_client: Callable[..., Client], changes: dict[str, str], status: int, error: str, number: int
) -> None:
    """A wrong secret, client, tenant, resource or grant gets Entra's code, and no response contains the secret."""
    client = start_client()
    response = client.sign_in(**changes)
    body = response.json()
    assert response.status_code == status
    assert body["error"] == error
    assert body["error_codes"] == [number]
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert client.emulator.client_secret not in response.text
    assert bool(body["correlation_id"])


def test_a_secret_can_be_sent_in_the_header(start_client: Callable[..., Client]) -> None:
    """Id and secret can be sent as HTTP basic authentication instead of in the form."""
    emulator = start_client().emulator
    form = {"grant_type": "client_credentials", "scope": f"{RESOURCE}/.default"}
    url, basic = f"{emulator.url}/{emulator.tenant_id}/oauth2/v2.0/token", (emulator.client_id, emulator.client_secret)
    responses = [
        requests.post(url, data=form, auth=auth, verify=str(emulator.ca_file), timeout=10).status_code
        for auth in (basic, (emulator.client_id, "wrong"))
    ]
    broken = {"Authorization": "Basic %%%"}
    responses.append(
        requests.post(url, data=form, headers=broken, verify=str(emulator.ca_file), timeout=10).status_code
    )
    assert responses == [200, 401, 400]


def test_msal_signs_in(start_client: Callable[..., Client]) -> None:
    """msal, used as in a user's script, gets a token that the API accepts."""
    client = start_client()
    session = requests.Session()
    session.verify = str(client.emulator.ca_file)
    session.trust_env = False
    application = msal.ConfidentialClientApplication(
        client.emulator.client_id,
        client_credential=client.emulator.client_secret,
        authority=f"{client.emulator.url}/{client.emulator.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    response = application.acquire_token_for_client([f"{RESOURCE}/.default"])
    session.close()
    assert client.request("GET", "/api/publishers", token=response["access_token"]).status_code == 200


def invalid_tokens(client: Client) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from partner_center_emulator.identity import signing_key

    claims = jwt.decode(client.token(), options={"verify_signature": False})
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "none": "",
        "garbage": "not.a.token",
        "another key": jwt.encode(claims, other_key, algorithm="RS256"),
        "another audience": jwt.encode(claims | {"aud": "https://graph.example"}, signing_key(), algorithm="RS256"),
        "another tenant": jwt.encode(claims | {"tid": "elsewhere"}, signing_key(), algorithm="RS256"),
        "expired": jwt.encode(claims | {"exp": 1, "ends": 1}, signing_key(), algorithm="RS256"),
        "no signature": jwt.encode(claims, None, algorithm="none"),
    }


def test_only_valid_tokens_are_accepted(start_client: Callable[..., Client]) -> None:
    """Signature, audience, tenant and expiry of a token are verified."""
    client = start_client()
    statuses = {
        name: client.request("GET", "/api/publishers", headers={"Authorization": f"Bearer {value}"}).status_code
        for name, value in invalid_tokens(client).items()
    }
    assert statuses == dict.fromkeys(statuses, 401)


def test_a_token_expires_in_real_time(start_client: Callable[..., Client]) -> None:
    """A token is valid for the lifetime of the setting, whatever the emulator's clock shows."""
    client = start_client(token_lifetime=timedelta(seconds=2))
    client.emulator.clock.advance(days=9)
    first = client.request("GET", "/api/publishers").status_code
    time.sleep(2.1)
    assert first == 200
    assert client.request("GET", "/api/publishers").status_code == 401


def test_revoking_tokens_and_rotating_the_secret(start_client: Callable[..., Client]) -> None:
    """A revoked token is rejected at once, and a rotated secret replaces the old one."""
    client = start_client()
    old_secret = client.emulator.client_secret
    client.token()
    client.emulator.revoke_tokens()
    assert client.request("GET", "/api/publishers").status_code == 401
    client.emulator.rotate_secret()
    assert [client.sign_in(client_secret=old_secret).status_code, client.sign_in().status_code] == [401, 200]
    discovery = f"{client.emulator.url}/common/discovery/instance"
    instances = requests.get(discovery, verify=str(client.emulator.ca_file), timeout=10).json()
    assert client.emulator.tenant_id in instances["tenant_discovery_endpoint"]


def test_emulators_in_several_threads_sign_with_one_key() -> None:
    """Tokens that several threads sign at once have the same key."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from partner_center_emulator.identity import signing_key

together = Barrier(4)
def key(_):
    together.wait()
    return signing_key()

with ThreadPoolExecutor(4) as pool:
    keys = list(pool.map(key, range(4)))
print(len(set(map(id, keys))))
"""
    # In a new process, since this one already has its key.
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert made == "1\n"
