# SPDX-License-Identifier: Apache-2.0
"""The emulated Entra ID: real tokens, and the refusals of the real one."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import msal
import pytest
import requests

RESOURCE = "https://cloudpartner.azure.com"


def test_a_token_is_signed_and_for_the_portal(client: Callable[..., Any]) -> None:
    """A token verifies against the published keys, with audience, tenant, application and expiry."""
    mine = client()
    configuration = requests.get(
        f"{mine.portal.url}/{mine.portal.tenant_id}/v2.0/.well-known/openid-configuration",
        verify=str(mine.portal.ca_file),
        timeout=10,
    ).json()
    keys = requests.get(configuration["jwks_uri"], verify=str(mine.portal.ca_file), timeout=10).json()
    key = jwt.PyJWK(keys["keys"][0])
    claims = jwt.decode(mine.token(), key.key, algorithms=["RS256"], audience=RESOURCE)
    assert (claims["tid"], claims["appid"]) == (mine.portal.tenant_id, mine.portal.client_id)
    assert 3590 <= claims["exp"] - time.time() <= 3602


def test_the_first_version_answers_numbers_as_text(client: Callable[..., Any]) -> None:
    """The v1 endpoint takes a resource and writes its numbers as text; v2 takes a scope and writes numbers."""
    mine = client()
    old = mine.sign_in("oauth2/token", resource=RESOURCE).json()
    new = mine.sign_in().json()
    assert (old["expires_in"], old["resource"], new["expires_in"]) == ("3600", RESOURCE, 3600)
    assert mine.call("GET", "/api/publishers", token=old["access_token"]).status_code == 200


REFUSALS = [
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_id": "nobody"}, 400, "unauthorized_client", 700016),
    ({"tenant": "elsewhere"}, 400, "invalid_tenant", 90002),
    ({"scope": "https://graph.example/.default"}, 400, "invalid_resource", 500011),
    ({"scope": RESOURCE}, 400, "invalid_resource", 500011),
    ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
]


@pytest.mark.parametrize(("changes", "status", "error", "number"), REFUSALS)
def test_a_sign_in_is_refused_as_entra_does(
    client: Callable[..., Any], changes: dict[str, str], status: int, error: str, number: int
) -> None:
    """Wrong secret, client, tenant, resource and grant each have Entra's code, and no answer has the secret in it."""
    mine = client()
    answer = mine.sign_in(**changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [number])
    assert body["error_description"].startswith(f"AADSTS{number}: ")
    assert (mine.portal.client_secret in answer.text, bool(body["correlation_id"])) == (False, True)


def test_a_secret_may_come_in_the_header(client: Callable[..., Any]) -> None:
    """Id and secret as HTTP basic are as good as in the form."""
    portal = client().portal
    form = {"grant_type": "client_credentials", "scope": f"{RESOURCE}/.default"}
    url, basic = f"{portal.url}/{portal.tenant_id}/oauth2/v2.0/token", (portal.client_id, portal.client_secret)
    answers = [
        requests.post(url, data=form, auth=auth, verify=str(portal.ca_file), timeout=10).status_code
        for auth in (basic, (portal.client_id, "wrong"))
    ]
    broken = {"Authorization": "Basic %%%"}
    answers.append(requests.post(url, data=form, headers=broken, verify=str(portal.ca_file), timeout=10).status_code)
    assert answers == [200, 401, 400]


def test_microsofts_own_library_signs_in(client: Callable[..., Any]) -> None:
    """msal, as somebody's script uses it, gets a token that the portal takes."""
    mine = client()
    session = requests.Session()
    session.verify = str(mine.portal.ca_file)
    session.trust_env = False
    application = msal.ConfidentialClientApplication(
        mine.portal.client_id,
        client_credential=mine.portal.client_secret,
        authority=f"{mine.portal.url}/{mine.portal.tenant_id}",
        instance_discovery=False,
        http_client=session,
    )
    answer = application.acquire_token_for_client([f"{RESOURCE}/.default"])
    session.close()
    assert mine.call("GET", "/api/publishers", token=answer["access_token"]).status_code == 200


def bad_tokens(mine: Any) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from partner_center_emulator.identity import signing_key

    good = jwt.decode(mine.token(), options={"verify_signature": False})
    other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "none": "",
        "garbage": "not.a.token",
        "another key": jwt.encode(good, other_key, algorithm="RS256"),
        "another audience": jwt.encode(good | {"aud": "https://graph.example"}, signing_key(), algorithm="RS256"),
        "another tenant": jwt.encode(good | {"tid": "elsewhere"}, signing_key(), algorithm="RS256"),
        "expired": jwt.encode(good | {"exp": 1, "ends": 1}, signing_key(), algorithm="RS256"),
        "no signature": jwt.encode(good, None, algorithm="none"),
    }


def test_only_good_tokens_are_taken(client: Callable[..., Any]) -> None:
    """Signature, audience, tenant and expiry are checked for real."""
    mine = client()
    statuses = {
        name: mine.call("GET", "/api/publishers", headers={"Authorization": f"Bearer {value}"}).status_code
        for name, value in bad_tokens(mine).items()
    }
    assert statuses == dict.fromkeys(statuses, 401)


def test_a_token_expires_in_the_worlds_time(client: Callable[..., Any]) -> None:
    """A token is good for as long as is set, whatever the emulator's clock says."""
    mine = client(token_lifetime=timedelta(seconds=2))
    mine.portal.clock.advance(days=9)
    first = mine.call("GET", "/api/publishers").status_code
    time.sleep(2.1)
    assert (first, mine.call("GET", "/api/publishers").status_code) == (200, 401)


def test_revoking_and_rotating(client: Callable[..., Any]) -> None:
    """A revoked token is refused at once, and a rotated secret replaces the one before."""
    mine = client()
    old_secret = mine.portal.client_secret
    mine.token()
    mine.portal.revoke_tokens()
    assert mine.call("GET", "/api/publishers").status_code == 401
    mine.portal.rotate_secret()
    assert [mine.sign_in(client_secret=old_secret).status_code, mine.sign_in().status_code] == [401, 200]
    discovery = f"{mine.portal.url}/common/discovery/instance"
    found = requests.get(discovery, verify=str(mine.portal.ca_file), timeout=10).json()
    assert mine.portal.tenant_id in found["tenant_discovery_endpoint"]


def test_emulators_in_several_threads_sign_with_one_key() -> None:
    """A token that one thread signs is good in another, also where both come first."""
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
    # In a process of its own, since in this one the key has been made.
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert made == "1\n"
