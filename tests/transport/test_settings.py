# SPDX-License-Identifier: Apache-2.0
"""Each authentication type's connection fields, and the errors for fields that cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.exceptions import CABundleError, ConfigurationError
from airflow_provider_cpp.get_provider_info import CONNECTION_FIELDS
from airflow_provider_cpp.transport.credentials import (
    AUTH_TYPES,
    AccessToken,
    Certificate,
    ClientSecret,
    ManagedIdentity,
    WorkloadIdentity,
)
from airflow_provider_cpp.transport.settings import Settings
from airflow_provider_cpp.transport.trust import ssl_context_for


def settings(login: str | None = None, password: str | None = None, **extra: Any) -> Settings:
    return Settings.from_fields(
        CLOUD_PARTNER_PORTAL_API.endpoint, host=None, login=login, password=password, extra=extra
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Return existing, empty files."""
    paths = {name: tmp_path / name for name in ("certificate", "key", "token")}
    for path in paths.values():
        path.touch()
    return {name: str(path) for name, path in paths.items()}


def test_each_auth_type_reads_its_own_fields(files: dict[str, str]) -> None:
    """Login, password and extra become the credentials of the authentication type, by default a client secret."""
    tenant = {"tenant_id": "contoso.example"}
    certificate = {"certificate_path": files["certificate"], "private_key_path": files["key"], "send_x5c": "True"}
    read = [
        settings("app", " secret ", **tenant),
        settings("app", " pass phrase ", auth="certificate", thumbprint="AB:" * 19 + "ab", **certificate, **tenant),
        settings(auth="managed_identity"),
        settings(auth="managed_identity", resource_id="/subscriptions/1"),
        settings("app", auth="workload_identity", token_file=files["token"], **tenant),
        settings(auth="access_token", access_token="Bearer one.two"),
    ]
    paths = files["certificate"], files["key"]
    assert [one.credentials for one in read] == [
        ClientSecret("app", "contoso.example", "secret"),
        Certificate("app", "contoso.example", *paths, None, " pass phrase ", "ab" * 20, send_x5c=True),
        ManagedIdentity(),
        ManagedIdentity(resource_id="/subscriptions/1"),
        WorkloadIdentity("app", "contoso.example", files["token"]),
        AccessToken("one.two"),
    ]


def test_a_workload_identity_may_come_from_the_environment(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure's environment variables fill the fields that the connection leaves empty, and the connection takes precedence."""
    for name, value in (("CLIENT_ID", "their-app"), ("TENANT_ID", "their-tenant"), ("FEDERATED_TOKEN_FILE", "x")):
        monkeypatch.setenv(f"AZURE_{name}", files["token"] if value == "x" else value)
    assert settings(auth="workload_identity").credentials == WorkloadIdentity(
        "their-app", "their-tenant", files["token"]
    )
    own = settings("app", auth="workload_identity", tenant_id="tenant", token_file=files["key"])
    assert own.credentials == WorkloadIdentity("app", "tenant", files["key"])


MISSING = {
    "client_secret": "login (application id), password (client secret), tenant_id in extra",
    "certificate": "login (application id), tenant_id in extra, certificate_path or private_key in extra",
    "workload_identity": "login (application id) or AZURE_CLIENT_ID, tenant_id in extra or AZURE_TENANT_ID,"
    " token_file in extra or AZURE_FEDERATED_TOKEN_FILE",
    "access_token": "password (access token) or access_token in extra",
}


@pytest.mark.parametrize("auth_type", MISSING)
def test_all_missing_fields_are_in_one_error(auth_type: str) -> None:
    """One error names the authentication type and every field that it lacks."""
    with pytest.raises(ConfigurationError) as caught:
        settings(auth=auth_type)
    assert caught.value.problems == (f"for auth {auth_type} it lacks {MISSING[auth_type]}",)


def test_an_impossible_path_is_a_missing_file() -> None:
    """A path that the file system rejects is a configuration error, like a path without a file."""
    with pytest.raises(ConfigurationError, match="certificate_path in extra must be the path of an"):
        settings("a", auth="certificate", tenant_id="t", private_key="x", certificate_path="x" * 5000)


@pytest.mark.parametrize("path", ["/nowhere", "x" * 5000, "\0"])
def test_a_ca_bundle_is_read_when_it_is_used(path: str) -> None:
    """A CA bundle that does not exist, or not yet, is no configuration error; a value that is no path is one."""
    assert settings("a", auth="access_token", access_token="x", verify=path).verify == path
    for invalid in (False, "false", 7, ["/nowhere"]):
        with pytest.raises(ConfigurationError, match="verify in extra must be the path of a CA bundle"):
            settings("a", auth="access_token", access_token="x", verify=invalid)
    with pytest.raises(CABundleError, match="CA bundle "):
        ssl_context_for(path)


def test_all_problems_are_in_one_error() -> None:
    """Missing and invalid fields of the whole connection are in one error."""
    with pytest.raises(ConfigurationError) as caught:
        settings(
            auth="certificate",
            tenant_id="a/../b",
            certificate_path="/nowhere.pem",
            thumbprint="12",
            send_x5c="perhaps",
            authority="http://x",
            request_timeout="soon",
            publisher_id=1,
            verify=7,
            proxies={"https": 1},
        )
    subjects = [problem.split(" must ")[0] for problem in caught.value.problems]
    assert subjects == [
        "for auth certificate it lacks login (application id)",
        "tenant_id",
        "certificate_path in extra",
        "thumbprint in extra",
        "send_x5c in extra",
        "publisher_id in extra",
        "authority",
        "verify in extra",
        "proxies in extra",
        "request_timeout in extra",
    ]


INVALID = [
    ({"auth": "password"}, "auth in extra is 'password', not one of: client_secret, certificate"),
    ({"auth": 7}, "auth in extra must be text"),
    (
        {"auth": "managed_identity", "login": "a", "object_id": "b"},
        "each select a managed identity: set only one of them",
    ),
    ({"auth": "managed_identity", "object_id": "b", "resource_id": "c"}, "each select a managed identity"),
    ({"auth": "access_token", "password": "one", "access_token": "two"}, "hold two tokens: set only one of them"),
    ({"auth": "access_token", "password": "one two"}, "the access token contains blanks"),
    ({"auth": "access_token", "password": "one\r\ntwo"}, "the access token contains blanks"),
    (
        {"auth": "workload_identity", "login": "a", "tenant_id": "b", "token_file": "/nowhere"},
        "must be the path of an existing file",
    ),
    ({"auth": "managed_identity", "host": "http://portal.example"}, "host must be an https URL"),
    ({"auth": "managed_identity", "host": "https://portal.example:port"}, "host must be an https URL"),
]


@pytest.mark.parametrize(("fields", "expected"), INVALID)
def test_invalid_fields_are_refused(fields: dict[str, Any], expected: str) -> None:
    """Fields that are invalid or contradict each other are named, and their values are not repeated."""
    outer = {name: fields.pop(name, None) for name in ("host", "login", "password")}
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_fields(CLOUD_PARTNER_PORTAL_API.endpoint, **outer, extra=fields)
    assert expected in str(caught.value)
    assert "two" not in str(caught.value).replace("two tokens", "")


PROXIES = [
    ({"https": "http://proxy:3128"}, (("https", "http://proxy:3128"),)),
    (
        {"https": "proxy:3128", "http": "https://me:pw@proxy"},
        (("http", "https://me:pw@proxy"), ("https", "http://proxy:3128")),
    ),
    ('{"https": "http://proxy:3128"}', (("https", "http://proxy:3128"),)),
    ({}, ()),
    (" ", ()),
    (None, ()),
]


@pytest.mark.parametrize(("typed", "read"), PROXIES)
def test_proxies_are_read(typed: object, read: object) -> None:
    """An object, or the text that an older form made of one, becomes pairs that both HTTP clients read the same way."""
    assert settings(auth="managed_identity", proxies=typed).proxies == read


@pytest.mark.parametrize(
    "typed",
    [
        {"https": "http://me:hunter2@proxy:port"},
        {"https": "socks5://me:hunter2@proxy:1"},
        {"https": "http://me:hunter2@"},
        {"https": "http://me:hunter2@proxy :1"},
        {"https": "http://me:hunter2@[proxy:1"},
        {"https": "http://me:hunter2@proxy:0"},
        "http://me:hunter2@proxy:1",
        ["hunter2"],
        {"https": ["hunter2"]},
    ],
)
def test_an_invalid_proxy_is_not_shown(typed: object) -> None:
    """An invalid proxy is a configuration error without the password that may be in it."""
    with pytest.raises(ConfigurationError, match=r"prox(y|ies)") as caught:
        settings(auth="managed_identity", proxies=typed)
    assert "hunter2" not in str(caught.value)


def test_settings_are_values_that_show_no_secret(files: dict[str, str]) -> None:
    """Settings of every authentication type are hashable, equal if made from equal fields, and print no secret."""
    for fields in (
        {"login": "a", "password": "hunter2", "tenant_id": "t"},
        {"login": "a", "password": "hunter2", "tenant_id": "t", "auth": "certificate", "private_key": "hunter2"},
        {"password": "hunter2", "auth": "access_token"},
        {"auth": "managed_identity", "proxies": {"https": "http://me:hunter2@proxy"}},
        {"login": "a", "auth": "workload_identity", "tenant_id": "t", "token_file": files["token"]},
    ):
        one, other = settings(**fields), settings(**fields)
        assert one == other
        assert hash(one) == hash(other)
        assert "hunter2" not in repr(one)


def test_the_form_offers_every_auth_type() -> None:
    """The form lists the code's authentication types, and Airflow masks the fields with secrets by their names."""
    assert CONNECTION_FIELDS["auth"]["schema"]["enum"] == list(AUTH_TYPES)
    assert {"private_key", "access_token", "token_file", "certificate_path"} <= set(CONNECTION_FIELDS)
    masked = ("token", "secret", "private_key", "proxies")
    assert all(any(word in name for word in masked) for name in ("private_key", "access_token", "proxies"))
