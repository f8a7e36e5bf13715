# SPDX-License-Identifier: Apache-2.0
"""Client assertions and managed identities, with handmade requests and with msal."""

from __future__ import annotations

import base64
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jwt
import msal
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from emulator_client import Client
from partner_center_emulator import Emulator
from partner_center_emulator.certificates import (
    ISSUER,
    SUBJECT,
    CertificateAuthority,
    IssuedCertificate,
    new_key,
    thumbprints,
)
from partner_center_emulator.credentials import AUTH_TYPES, PASSPHRASE, CredentialFactory

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def thumbprint_header(issued: IssuedCertificate, name: str = "x5t#S256", *, padded: bool = False) -> dict[str, Any]:
    """Return the JWT header with a certificate's thumbprint."""
    value = base64.urlsafe_b64encode(thumbprints(issued.certificate)[name]).decode()
    return {name: value if padded else value.rstrip("=")}


def certificate_header(issued: IssuedCertificate) -> dict[str, Any]:
    """Return the JWT header with the certificate itself."""
    return {"x5c": [base64.b64encode(issued.certificate.public_bytes(Encoding.DER)).decode()]}


def sign_assertion(
    emulator: Emulator,
    *,
    key: Any = None,
    header: dict[str, Any] | None = None,
    algorithm: str = "PS256",
    **claims: Any,
) -> str:
    """Return a client assertion of the application; claims and options can make it invalid."""
    now, issued = time.time(), emulator.credentials.certificate
    own = {
        "aud": f"{emulator.url}/{emulator.tenant_id}/oauth2/v2.0/token",
        "iss": emulator.client_id,
        "sub": emulator.client_id,
    }
    times = {"jti": str(uuid.uuid4()), "exp": now + 60}
    claims = {name: value for name, value in (own | times | claims).items() if value is not None}
    return jwt.encode(
        claims, key or issued.key, algorithm=algorithm, headers=thumbprint_header(issued) if header is None else header
    )


def request_token(client: Client, assertion: str, **changes: str) -> requests.Response:
    """Request a token with an assertion."""
    response: requests.Response = client.sign_in(
        client_secret="", **{"client_assertion_type": TYPE, "client_assertion": assertion} | changes
    )
    return response


VALID = [
    ("PS256", thumbprint_header, "x5t#S256"),
    ("RS256", thumbprint_header, "x5t#S256"),
    ("RS256", lambda one: thumbprint_header(one, "x5t"), "x5t"),
    ("RS256", lambda one: thumbprint_header(one, "x5t", padded=True), "x5t"),
    ("PS256", lambda one: thumbprint_header(one) | certificate_header(one), "x5c"),
    ("PS256", certificate_header, "x5c"),
]


@pytest.mark.parametrize(("algorithm", "header", "how"), VALID)
def test_a_valid_assertion_is_accepted(
    start_client: Callable[..., Client], algorithm: str, header: Callable[[IssuedCertificate], dict[str, Any]], how: str
) -> None:
    """An assertion signed with the registered certificate's key is valid, whichever header identifies the certificate."""
    client = start_client()
    assertion = sign_assertion(
        client.emulator, algorithm=algorithm, header=header(client.emulator.credentials.certificate)
    )
    token = request_token(client, assertion).json()["access_token"]
    assert client.request("GET", "/api/publishers", token=token).status_code == 200
    assert [(one.auth_type, one.detail, one.client_id) for one in client.emulator.sign_ins] == [
        ("certificate", how, client.emulator.client_id)
    ]


def untrusted_certificate() -> IssuedCertificate:
    """Return a certificate of an authority that the application does not trust."""
    return CertificateAuthority().issue("another")


def unsigned_assertion(emulator: Emulator) -> str:
    claims = jwt.decode(sign_assertion(emulator), options={"verify_signature": False})
    return jwt.encode(claims, None, algorithm="none", headers=thumbprint_header(emulator.credentials.certificate))


INVALID: dict[str, tuple[int, Callable[[Emulator], str]]] = {
    "another key": (700027, lambda emulator: sign_assertion(emulator, key=new_key("another"))),
    "another certificate": (
        700027,
        lambda emulator: sign_assertion(emulator, header=thumbprint_header(untrusted_certificate())),
    ),
    "no certificate of that name": (700027, lambda emulator: sign_assertion(emulator, header={"x5t": "%%%"})),
    "another subject's certificate": (
        700027,
        lambda emulator: sign_assertion(
            emulator,
            key=new_key("another"),
            header=certificate_header(emulator.credentials.authority.issue("another", "evil.example")),
        ),
    ),
    "a self-signed certificate": (
        700027,
        lambda emulator: sign_assertion(emulator, key=new_key("another"), header={"x5c": self_signed_certificate()}),
    ),
    "no signature": (700027, unsigned_assertion),
    "signed with the public key as if it were a secret": (
        700027,
        lambda emulator: sign_assertion(emulator, key=b"k" * 64, algorithm="HS256"),
    ),
    "an elliptic key": (
        700027,
        lambda emulator: sign_assertion(emulator, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    ),
    "another issuer": (700021, lambda emulator: sign_assertion(emulator, iss="somebody")),
    "another subject": (700021, lambda emulator: sign_assertion(emulator, sub="somebody")),
    "another audience": (700023, lambda emulator: sign_assertion(emulator, aud="https://login.example/token")),
    "expired": (700024, lambda emulator: sign_assertion(emulator, exp=time.time() - 1)),
    "not yet good": (700024, lambda emulator: sign_assertion(emulator, nbf=time.time() + 60)),
    "no end": (50027, lambda emulator: sign_assertion(emulator, exp=None)),
    "no identifier": (50027, lambda emulator: sign_assertion(emulator, jti=None)),
    "no token": (50027, lambda _: "not.a.token"),
    "no certificate in x5c": (50027, lambda emulator: sign_assertion(emulator, header={"x5c": ["%%%"]})),
}


def self_signed_certificate() -> list[str]:
    """Return a certificate with the subject and issuer of the application's, but signed by an unknown key."""

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now, key = datetime.now(timezone.utc), new_key("another")
    made = (
        x509.CertificateBuilder()
        .subject_name(name(SUBJECT))
        .issuer_name(name(ISSUER))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    return [base64.b64encode(made.public_bytes(Encoding.DER)).decode()]


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_assertion_is_rejected(start_client: Callable[..., Client], case: str) -> None:
    """Each invalid signature, claim or time gets its own error code, and the response does not repeat the assertion."""
    number, make = INVALID[case]
    client = start_client()
    assertion = make(client.emulator)
    response = request_token(client, assertion)
    body = response.json()
    assert body["error_codes"] == [number]
    assert response.status_code == (400 if number == 50027 else 401)
    assert body["error"] == ("invalid_request" if number == 50027 else "invalid_client")
    assert assertion not in response.text
    assert client.emulator.sign_ins == []


def test_an_assertion_is_accepted_once(start_client: Callable[..., Client]) -> None:
    """An assertion that is sent again is rejected as a replay."""
    client = start_client()
    assertion = sign_assertion(client.emulator)
    assert [request_token(client, assertion).status_code for _ in range(2)] == [200, 400]


def test_a_federated_token_is_accepted_repeatedly(start_client: Callable[..., Client]) -> None:
    """A federated token can be sent repeatedly until it expires."""
    client = start_client()
    token = client.emulator.credentials.federated_token().read_text()
    assert [request_token(client, token).status_code for _ in range(2)] == [200, 200]
    assert {one.auth_type for one in client.emulator.sign_ins} == {"workload_identity"}


def test_a_federated_token_with_an_unknown_key_is_rejected(start_client: Callable[..., Client]) -> None:
    """A federated token with the id of an unknown key is rejected with its own error code."""
    client = start_client()
    claims = jwt.decode(client.emulator.credentials.issuer.token(), options={"verify_signature": False})
    other = jwt.encode(claims, new_key("another"), algorithm="RS256", headers={"kid": "cluster-key-2"})
    assert request_token(client, other).json()["error_codes"] == [7000272]


@pytest.mark.parametrize(
    ("form", "number"), [({"client_assertion_type": "saml"}, 900144), ({"client_assertion": ""}, 7000218)]
)
def test_missing_credentials_are_rejected(
    start_client: Callable[..., Client], form: dict[str, str], number: int
) -> None:
    """A request without secret and assertion, or with another assertion type, gets Entra's code."""
    client = start_client()
    assert request_token(client, sign_assertion(client.emulator), **form).json()["error_codes"] == [number]


def sign_in_with_msal(emulator: Emulator, credential: Any, session: requests.Session) -> Any:
    """Sign in with msal, as a user's script does."""
    session.verify = str(emulator.ca_file)
    session.trust_env = False
    authority = f"{emulator.url}/{emulator.tenant_id}"
    made = msal.ConfidentialClientApplication(
        emulator.client_id,
        client_credential=credential,
        authority=authority,
        instance_discovery=False,
        http_client=session,
    )
    return made.acquire_token_for_client(["https://cloudpartner.azure.com/.default"])


def sha1(issued: IssuedCertificate) -> str:
    return thumbprints(issued.certificate)["x5t"].hex()


CREDENTIALS: dict[str, Callable[[CredentialFactory], Any]] = {
    "key and thumbprint": lambda credentials: {
        "private_key": credentials.certificate.pem(chain=False),
        "thumbprint": sha1(credentials.certificate),
    },
    "key, thumbprint and certificate": lambda credentials: {
        "private_key": credentials.certificate.pem("x", chain=False),
        "passphrase": "x",
        "thumbprint": sha1(credentials.certificate),
        "public_certificate": credentials.certificate.public_pem(),
    },
    "a PFX file": lambda credentials: {
        "private_key_pfx_path": str(credentials.certificate_file("pfx")),
        "passphrase": PASSPHRASE,
    },
    "an assertion": lambda credentials: {"client_assertion": credentials.federated_token().read_text},
}


@pytest.mark.parametrize("form", CREDENTIALS)
def test_msal_signs_in_without_a_secret(start_client: Callable[..., Client], form: str) -> None:
    """Assertions that msal signs, or that it gets from the caller, are accepted."""
    client = start_client()
    with requests.Session() as session:
        response = sign_in_with_msal(client.emulator, CREDENTIALS[form](client.emulator.credentials), session)
    assert client.request("GET", "/api/publishers", token=response["access_token"]).status_code == 200


@pytest.mark.parametrize("form", ["imds", "app-service", "machine-learning"])
@pytest.mark.parametrize("kind", ["own", "client_id", "object_id", "resource_id"])
def test_msal_gets_a_token_of_a_managed_identity(
    start_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, form: str, kind: str
) -> None:
    """Msal's client for managed identities gets a token for the identity that it names."""
    client = start_client()
    for name, value in client.emulator.environment_for("managed_identity", form).items():
        monkeypatch.setenv(name, value)
    machine = client.emulator.credentials.managed_identity
    one = machine.system if kind == "own" else machine.user
    who = (
        msal.UserAssignedManagedIdentity(**{kind: getattr(one, kind)})
        if kind != "own"
        else msal.SystemAssignedManagedIdentity()
    )
    with requests.Session() as session:
        session.trust_env = False
        response = msal.ManagedIdentityClient(who, http_client=session).acquire_token_for_client(
            resource="https://cloudpartner.azure.com"
        )
    claims = jwt.decode(response["access_token"], options={"verify_signature": False})
    assert claims["appid"] == one.client_id
    assert client.emulator.counts["managed-identity"] == 1


QUERY = {"api-version": "2018-02-01", "resource": "https://cloudpartner.azure.com"}
IMDS_REJECTIONS = {
    "no header": ({}, QUERY, "Required metadata header not specified"),
    "forwarded": ({"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}, QUERY, "forwarded"),
    "no version": ({"Metadata": "true"}, {"resource": "x"}, "Invalid api-version"),
    "no resource": ({"Metadata": "true"}, {"api-version": "2018-02-01"}, "'resource' is missing"),
    "another resource": ({"Metadata": "true"}, QUERY | {"resource": "https://graph.example"}, "AADSTS500011"),
    "another identity": ({"Metadata": "true"}, QUERY | {"client_id": "nobody"}, "Identity not found"),
    "two identities": (
        {"Metadata": "true"},
        QUERY | {"client_id": "USER", "object_id": "nobody"},
        "Identity not found",
    ),
}


@pytest.mark.parametrize("case", IMDS_REJECTIONS)
def test_the_metadata_service_rejects_invalid_requests(start_client: Callable[..., Client], case: str) -> None:
    """The metadata service requires its header, a known version, resource and identity, over plain HTTP."""
    headers, query, text = IMDS_REJECTIONS[case]
    client = start_client()
    url = client.emulator.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    query = {
        name: client.emulator.credentials.managed_identity.user.client_id if value == "USER" else value
        for name, value in query.items()
    }
    response = requests.get(f"{url}/metadata/identity/oauth2/token", params=query, headers=headers, timeout=10)
    assert response.status_code == 400
    assert text in response.json()["error_description"]


APP_SERVICE_REJECTIONS = {
    "no header": ({}, {}, 401, "X-IDENTITY-HEADER"),
    "another version": (None, {"api-version": "2018-02-01"}, 400, "api-version"),
    "another identity": (None, {"client_id": "nobody"}, 400, "No User Assigned"),
    "another resource": (None, {"resource": "https://graph.example"}, 500, "AAD Token"),
}


@pytest.mark.parametrize("case", APP_SERVICE_REJECTIONS)
def test_app_service_rejects_invalid_requests(start_client: Callable[..., Client], case: str) -> None:
    """App Service requires its secret header, version, identity and resource, and has its own error format."""
    headers, changes, status, text = APP_SERVICE_REJECTIONS[case]
    client = start_client()
    environment = client.emulator.environment_for("managed_identity", "app-service")
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]} if headers is None else headers
    query = QUERY | {"api-version": "2019-08-01"} | changes
    response = requests.get(environment["IDENTITY_ENDPOINT"], params=query, headers=headers, timeout=10)
    assert response.status_code == status
    assert response.json()["statusCode"] == status
    assert text in response.json()["message"]


def test_a_machine_without_a_system_assigned_identity(start_client: Callable[..., Client]) -> None:
    """Without a system-assigned identity, a request that names no identity is rejected."""
    client = start_client()
    client.emulator.credentials.managed_identity.system = None
    url = client.emulator.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    response = requests.get(
        f"{url}/metadata/identity/oauth2/token", params=QUERY, headers={"Metadata": "true"}, timeout=10
    )
    assert response.json()["error_description"] == "Identity not found"


def test_plain_http_is_served_only_on_request_and_ends_with_the_emulator(start_client: Callable[..., Client]) -> None:
    """Plain HTTP is served only after a managed identity was requested, and ends with the emulator."""
    client = start_client()
    assert client.emulator.credentials._plain_http is None
    url = client.emulator.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    assert client.emulator.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == url
    assert requests.get(f"{url}/api/publishers", timeout=10).status_code == 404
    client.emulator.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_the_python_example_of_authentication_methods_runs() -> None:
    """The Python example of authentication methods in the docs runs as it is."""
    page = (Path(__file__).parents[2] / "docs/emulator.md").read_text().split("## Authentication methods")[1]
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    exec(compile(code.group(1), "emulator.md", "exec"), {})  # noqa: S102 - our own docs


def test_there_is_a_connection_for_every_authentication_method(start_client: Callable[..., Client]) -> None:
    """Each authentication method has a connection, its files are readable only by their owner, and a typo is an error."""
    emulator = start_client().emulator
    for kind in AUTH_TYPES:
        extra = emulator.connection_for(kind)["extra"]
        assert extra.get("auth", "client_secret") == kind
        for name in ("certificate_path", "token_file"):
            if name in extra:
                assert oct(Path(extra[name]).stat().st_mode & 0o777) == "0o600"
    with pytest.raises(ValueError, match="'secret', not one of client_secret, certificate"):
        emulator.connection_for("secret")
