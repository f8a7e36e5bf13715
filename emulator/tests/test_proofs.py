# SPDX-License-Identifier: Apache-2.0
"""What an application proves itself with instead of a secret, by hand and with Microsoft's own library."""

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
from partner_center_emulator.certificates import ISSUER, SUBJECT, CertificateAuthority, Issued, new_key, thumbprints
from partner_center_emulator.credentials import AUTH_TYPES, PASSPHRASE

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def named(issued: Issued, name: str = "x5t#S256", *, padded: bool = False) -> dict[str, Any]:
    """Return the header that names a certificate."""
    value = base64.urlsafe_b64encode(thumbprints(issued.certificate)[name]).decode()
    return {name: value if padded else value.rstrip("=")}


def chain(issued: Issued) -> dict[str, Any]:
    """Return the header that holds a certificate itself."""
    return {"x5c": [base64.b64encode(issued.certificate.public_bytes(Encoding.DER)).decode()]}


def statement(
    portal: Any, *, key: Any = None, header: dict[str, Any] | None = None, algorithm: str = "PS256", **claims: Any
) -> str:
    """Sign what an application says of itself, or something like it."""
    now, issued = time.time(), portal.credentials.certificate
    own = {
        "aud": f"{portal.url}/{portal.tenant_id}/oauth2/v2.0/token",
        "iss": portal.client_id,
        "sub": portal.client_id,
    }
    times = {"jti": str(uuid.uuid4()), "exp": now + 60}
    said = {name: value for name, value in (own | times | claims).items() if value is not None}
    return jwt.encode(said, key or issued.key, algorithm=algorithm, headers=named(issued) if header is None else header)


def prove(mine: Any, assertion: str, **changes: str) -> requests.Response:
    """Ask for a token with an assertion."""
    answer: requests.Response = mine.sign_in(
        client_secret="", **{"client_assertion_type": TYPE, "client_assertion": assertion} | changes
    )
    return answer


GOOD = [
    ("PS256", named, "x5t#S256"),
    ("RS256", named, "x5t#S256"),
    ("RS256", lambda one: named(one, "x5t"), "x5t"),
    ("RS256", lambda one: named(one, "x5t", padded=True), "x5t"),
    ("PS256", lambda one: named(one) | chain(one), "x5c"),
    ("PS256", chain, "x5c"),
]


@pytest.mark.parametrize(("algorithm", "header", "how"), GOOD)
def test_a_good_statement_is_taken(
    client: Callable[..., Any], algorithm: str, header: Callable[[Issued], dict[str, Any]], how: str
) -> None:
    """A statement with the registered certificate's key is good, however the header names the certificate."""
    mine = client()
    assertion = statement(mine.portal, algorithm=algorithm, header=header(mine.portal.credentials.certificate))
    token = prove(mine, assertion).json()["access_token"]
    assert mine.call("GET", "/api/publishers", token=token).status_code == 200
    assert [(one.kind, one.how, one.client_id) for one in mine.portal.sign_ins] == [
        ("certificate", how, mine.portal.client_id)
    ]


def strange(portal: Any, **options: Any) -> Issued:
    """Return a certificate of an authority that the application does not trust."""
    del portal
    return CertificateAuthority().issue("another", **options)


def unsigned(portal: Any) -> str:
    claims = jwt.decode(statement(portal), options={"verify_signature": False})
    return jwt.encode(claims, None, algorithm="none", headers=named(portal.credentials.certificate))


BAD: dict[str, tuple[int, Callable[[Any], str]]] = {
    "another key": (700027, lambda portal: statement(portal, key=new_key("another"))),
    "another certificate": (700027, lambda portal: statement(portal, header=named(strange(portal)))),
    "no certificate of that name": (700027, lambda portal: statement(portal, header={"x5t": "%%%"})),
    "another subject's certificate": (
        700027,
        lambda portal: statement(
            portal,
            key=new_key("another"),
            header=chain(portal.credentials.authority.issue("another", "evil.example")),
        ),
    ),
    "a self-made certificate": (
        700027,
        lambda portal: statement(portal, key=new_key("another"), header={"x5c": self_made()}),
    ),
    "no signature": (700027, unsigned),
    "signed with the public key as if it were a secret": (
        700027,
        lambda portal: statement(portal, key=b"k" * 64, algorithm="HS256"),
    ),
    "an elliptic key": (
        700027,
        lambda portal: statement(portal, key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
    ),
    "another issuer": (700021, lambda portal: statement(portal, iss="somebody")),
    "another subject": (700021, lambda portal: statement(portal, sub="somebody")),
    "another audience": (700023, lambda portal: statement(portal, aud="https://login.example/token")),
    "expired": (700024, lambda portal: statement(portal, exp=time.time() - 1)),
    "not yet good": (700024, lambda portal: statement(portal, nbf=time.time() + 60)),
    "no end": (50027, lambda portal: statement(portal, exp=None)),
    "no identifier": (50027, lambda portal: statement(portal, jti=None)),
    "no token": (50027, lambda _: "not.a.token"),
    "no certificate in x5c": (50027, lambda portal: statement(portal, header={"x5c": ["%%%"]})),
}


def self_made() -> list[str]:
    """Return a certificate that claims the issuer and the subject of the application's, signed by nobody known."""

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


@pytest.mark.parametrize("case", BAD)
def test_a_bad_statement_is_refused(client: Callable[..., Any], case: str) -> None:
    """Signature, names, audience and times are checked for real, each with its own code, and nothing is repeated."""
    number, make = BAD[case]
    mine = client()
    assertion = make(mine.portal)
    answer = prove(mine, assertion)
    body = answer.json()
    assert (body["error_codes"], answer.status_code) == ([number], 400 if number == 50027 else 401)
    assert (body["error"], assertion in answer.text) == (
        "invalid_request" if number == 50027 else "invalid_client",
        False,
    )
    assert mine.portal.sign_ins == []


def test_a_statement_is_good_once(client: Callable[..., Any]) -> None:
    """The same statement a second time is a replay."""
    mine = client()
    assertion = statement(mine.portal)
    assert [prove(mine, assertion).status_code for _ in range(2)] == [200, 400]


def test_a_federated_token_serves_again_and_again(client: Callable[..., Any]) -> None:
    """A workload's token is taken for as long as it is good, and is no statement of the application's own."""
    mine = client()
    token = mine.portal.credentials.federated_token().read_text()
    assert [prove(mine, token).status_code for _ in range(2)] == [200, 200]
    assert {one.kind for one in mine.portal.sign_ins} == {"workload_identity"}


def test_a_key_that_the_cluster_does_not_publish(client: Callable[..., Any]) -> None:
    """A federated token that names another key is refused with the code for that."""
    mine = client()
    claims = jwt.decode(mine.portal.credentials.issuer.token(), options={"verify_signature": False})
    other = jwt.encode(claims, new_key("another"), algorithm="RS256", headers={"kid": "cluster-key-2"})
    assert prove(mine, other).json()["error_codes"] == [7000272]


@pytest.mark.parametrize(
    ("form", "number"), [({"client_assertion_type": "saml"}, 900144), ({"client_assertion": ""}, 7000218)]
)
def test_a_proof_that_is_missing_is_said(client: Callable[..., Any], form: dict[str, str], number: int) -> None:
    """Neither secret nor assertion, or an assertion of another kind, has Entra's code."""
    mine = client()
    assert prove(mine, statement(mine.portal), **form).json()["error_codes"] == [number]


def application(portal: Any, credential: Any, session: requests.Session) -> Any:
    """Make what somebody's own script would, with msal as it comes."""
    session.verify = str(portal.ca_file)
    session.trust_env = False
    authority = f"{portal.url}/{portal.tenant_id}"
    made = msal.ConfidentialClientApplication(
        portal.client_id,
        client_credential=credential,
        authority=authority,
        instance_discovery=False,
        http_client=session,
    )
    return made.acquire_token_for_client(["https://cloudpartner.azure.com/.default"])


def sha1(issued: Issued) -> str:
    return thumbprints(issued.certificate)["x5t"].hex()


CREDENTIALS: dict[str, Callable[[Any], Any]] = {
    "key and thumbprint": lambda kit: {
        "private_key": kit.certificate.pem(chain=False),
        "thumbprint": sha1(kit.certificate),
    },
    "key, thumbprint and certificate": lambda kit: {
        "private_key": kit.certificate.pem("x", chain=False),
        "passphrase": "x",
        "thumbprint": sha1(kit.certificate),
        "public_certificate": kit.certificate.public_pem(),
    },
    "a PFX file": lambda kit: {"private_key_pfx_path": str(kit.certificate_file("pfx")), "passphrase": PASSPHRASE},
    "an assertion": lambda kit: {"client_assertion": kit.federated_token().read_text},
}


@pytest.mark.parametrize("form", CREDENTIALS)
def test_microsofts_own_library_signs_in_without_a_secret(client: Callable[..., Any], form: str) -> None:
    """Statements that msal makes, and those that it is handed, are taken."""
    mine = client()
    with requests.Session() as session:
        answer = application(mine.portal, CREDENTIALS[form](mine.portal.credentials), session)
    assert mine.call("GET", "/api/publishers", token=answer["access_token"]).status_code == 200


@pytest.mark.parametrize("form", ["imds", "app-service", "machine-learning"])
@pytest.mark.parametrize("kind", ["own", "client_id", "object_id", "resource_id"])
def test_microsofts_own_library_finds_the_machine_s_identity(
    client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, form: str, kind: str
) -> None:
    """The client that msal has for managed identities is given a token for the identity that it asks for."""
    mine = client()
    for name, value in mine.portal.environment_for("managed_identity", form).items():
        monkeypatch.setenv(name, value)
    machine = mine.portal.credentials.machine
    one = machine.system if kind == "own" else machine.user
    who = (
        msal.UserAssignedManagedIdentity(**{kind: getattr(one, kind)})
        if kind != "own"
        else msal.SystemAssignedManagedIdentity()
    )
    with requests.Session() as session:
        session.trust_env = False
        answer = msal.ManagedIdentityClient(who, http_client=session).acquire_token_for_client(
            resource="https://cloudpartner.azure.com"
        )
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert (claims["appid"], mine.portal.counts["managed-identity"]) == (one.client_id, 1)


QUERY = {"api-version": "2018-02-01", "resource": "https://cloudpartner.azure.com"}
MACHINE_REFUSALS = {
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


@pytest.mark.parametrize("case", MACHINE_REFUSALS)
def test_the_metadata_service_refuses_as_it_does(client: Callable[..., Any], case: str) -> None:
    """Header, version, resource and identity are looked at, over plain HTTP, where only the machine can ask."""
    headers, query, said = MACHINE_REFUSALS[case]
    mine = client()
    url = mine.portal.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    query = {
        name: mine.portal.credentials.machine.user.client_id if value == "USER" else value
        for name, value in query.items()
    }
    answer = requests.get(f"{url}/metadata/identity/oauth2/token", params=query, headers=headers, timeout=10)
    assert (answer.status_code, said in answer.json()["error_description"]) == (400, True)


APP_SERVICE_REFUSALS = {
    "no header": ({}, {}, 401, "X-IDENTITY-HEADER"),
    "another version": (None, {"api-version": "2018-02-01"}, 400, "api-version"),
    "another identity": (None, {"client_id": "nobody"}, 400, "No User Assigned"),
    "another resource": (None, {"resource": "https://graph.example"}, 500, "AAD Token"),
}


@pytest.mark.parametrize("case", APP_SERVICE_REFUSALS)
def test_app_service_refuses_as_it_does(client: Callable[..., Any], case: str) -> None:
    """Its secret header, version, identity and resource are looked at, and its errors have a form of their own."""
    headers, changes, status, said = APP_SERVICE_REFUSALS[case]
    mine = client()
    environment = mine.portal.environment_for("managed_identity", "app-service")
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]} if headers is None else headers
    query = QUERY | {"api-version": "2019-08-01"} | changes
    answer = requests.get(environment["IDENTITY_ENDPOINT"], params=query, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["statusCode"], said in answer.json()["message"]) == (status, status, True)


def test_a_machine_without_an_identity_of_its_own(client: Callable[..., Any]) -> None:
    """A machine may have no identity of its own, and then who names none gets none."""
    mine = client()
    mine.portal.credentials.machine.system = None
    url = mine.portal.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    answer = requests.get(
        f"{url}/metadata/identity/oauth2/token", params=QUERY, headers={"Metadata": "true"}, timeout=10
    )
    assert answer.json()["error_description"] == "Identity not found"


def test_plain_http_is_served_only_on_request_and_ends_with_the_emulator(client: Callable[..., Any]) -> None:
    """Nothing listens in plain HTTP until a managed identity is wanted, and nothing is left when the emulator stops."""
    mine = client()
    assert mine.portal.credentials._plain is None
    url = mine.portal.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    assert mine.portal.environment_for("managed_identity")["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == url
    assert requests.get(f"{url}/api/publishers", timeout=10).status_code == 404
    mine.portal.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_the_page_s_python_about_ways_to_sign_in_runs() -> None:
    """The example of the emulator's page for proofs runs as it stands."""
    page = (Path(__file__).parents[2] / "docs/emulator.md").read_text().split("## Authentication methods")[1]
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code
    exec(compile(code.group(1), "emulator.md", "exec"), {})  # noqa: S102 - it is our own page


def test_there_is_a_connection_for_every_kind(client: Callable[..., Any]) -> None:
    """Each kind has its connection, what it names is there for its owner only, and a misspelt kind is an error."""
    portal = client().portal
    for kind in AUTH_TYPES:
        extra = portal.connection_for(kind)["extra"]
        assert extra.get("auth", "client_secret") == kind
        for name in ("certificate_path", "token_file"):
            if name in extra:
                assert oct(Path(extra[name]).stat().st_mode & 0o777) == "0o600"
    with pytest.raises(ValueError, match="'secret'; there are: client_secret, certificate"):
        portal.connection_for("secret")
