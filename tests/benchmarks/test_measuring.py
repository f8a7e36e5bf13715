# SPDX-License-Identifier: Apache-2.0
"""The parts of the benchmarks, with a few triggers: the stub counts correctly, and the rows match what happened."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_status_report
from airflow_provider_cpp.core.status import Status
from benchmarks import certificates, documents
from benchmarks.harness import Stub, serving
from benchmarks.peers import DataFactory
from benchmarks.subjects import path

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.tree


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    certificate, _ = certificates.create(tmp_path)
    with serving(certificate, None) as server:
        yield server


def test_the_stub_counts_requests(stub: Stub, tmp_path: Path) -> None:
    """The stub counts connections, polls, pieces of work, tokens and unknown requests, plain and over TLS."""
    context = ssl.create_default_context(cafile=str(tmp_path / "bundle.pem"))
    with (
        closing(http.client.HTTPConnection("127.0.0.1", stub.ports["http"])) as plain,
        closing(http.client.HTTPSConnection("127.0.0.1", stub.ports["https"], context=context)) as secure,
    ):
        send_all(plain, secure)
    counts = stub.counts()
    unknown = counts.pop("unknown")
    assert counts == {"connections": 2, "polls": 4, "jobs": 2, "tokens": 1}
    assert unknown == [f"DELETE {path(1).partition('?')[0]}"]


def send_all(plain: http.client.HTTPConnection, secure: http.client.HTTPConnection) -> None:
    for connection, number in ((plain, 1), (plain, 1), (plain, 2), (secure, 2)):
        connection.request("GET", path(number), headers={"Authorization": "Bearer x"})
        assert json.loads(connection.getresponse().read()) == documents.OPERATION
    secure.request("POST", "/contoso/oauth2/v2.0/token", body=b"grant_type=client_credentials")
    assert json.loads(secure.getresponse().read())["token_type"] == "Bearer"
    plain.request("DELETE", path(1))
    response = plain.getresponse()
    assert (response.status, response.read()) == (404, b"{}")


@pytest.mark.parametrize(
    ("target", "status", "number"),
    [
        ("/sensor/7", 404, None),
        ("/api/v2/accounts/42/runs/7/", 200, lambda body: body["data"]["id"]),
        ("/api/public/v1/jobs/7", 200, lambda body: body["jobId"]),
        ("/myorg/groups/g/datasets/7/refreshes?$top=1", 200, lambda body: body["value"][0]["requestId"]),
        (
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f/pipelineruns/7",
            200,
            lambda body: body["runId"],
        ),
    ],
)
def test_the_stub_responds_to_peers_with_work_in_progress(stub: Stub, target: str, status: int, number: Any) -> None:
    """Each peer's poll gets a response for the requested work, with as many steps as this package's."""
    with closing(http.client.HTTPConnection("127.0.0.1", stub.ports["http"])) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        body = response.read()
    assert response.status == status
    assert number is None or str(number(json.loads(body))) == "7"
    assert len(body) == pytest.approx(len(json.dumps(documents.OPERATION, separators=(",", ":"))), rel=0.15)
    assert stub.counts()["polls"] == 1


def test_the_stub_responds_with_an_operation_in_progress() -> None:
    """The package parses the document as a publication in certification."""
    report = parse_status_report(documents.OPERATION)
    assert report.status is Status.RUNNING
    assert [step.name for step in report.steps][1] == "Certification"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Measure a few triggers, including this package's, with the code that measures thousands."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, str(Path(__file__).parent / "a_few.py"), str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return list(json.loads(result.stdout))


def test_polls_are_measured(rows: list[dict[str, Any]]) -> None:
    """The limit and this package poll over kept-alive connections, with one token, and log nothing while nothing changes."""
    limit, ours, plain = rows[:3]
    assert [(row["subject"], row["scheme"], row["number"]) for row in rows[:3]] == [
        ("limit", "https", 3),
        ("ours", "https", 3),
        ("ours", "http", 2),
    ]
    assert limit["polls"] >= 12
    assert ours["polls"] >= 12
    assert (limit["tokens"], ours["tokens"], plain["tokens"]) == (0, 1, 1)
    assert (limit["lookups"], ours["lookups"] >= 1) == (0, True)
    assert (limit["connections_per_poll"], ours["connections_per_poll"], ours["lines_per_poll"]) == (0, 0, 0)
    assert all(row["cpu_per_1000_normalised"] > 0 for row in rows[:3])


def test_waits_are_measured(rows: list[dict[str, Any]]) -> None:
    """The rows have memory, lag and the cost of waits; an idle loop sends no poll."""
    memory, restart, idle, ours = rows[3:7]
    assert (memory["benchmark"], "bytes_per_trigger" in memory) == ("memory", True)
    assert (restart["benchmark"], 1 <= restart["connections"] <= 3, restart["tokens"]) == ("restart", True, 0)
    assert (idle["number"], "polls" in idle, idle["beats"] > 10) == (0, False, True)
    assert ours["polls"] >= 2
    assert ours["lag_worst"] >= ours["lag_p99"] >= 0


def test_imports_are_measured(rows: list[dict[str, Any]]) -> None:
    """The floor and this package are imported, and this package imports no third-party module."""
    imports = {row["subject"]: row for row in rows if row.get("benchmark") == "imports"}
    assert set(imports) == {"floor", "ours"}
    assert imports["ours"]["modules"] > imports["floor"]["modules"] > 0
    assert (imports["floor"]["foreign_modules"], imports["ours"]["foreign_modules"]) == (0, 0)


def test_a_failed_measurement_is_an_error(rows: list[dict[str, Any]]) -> None:
    """A subject that cannot be imported fails the benchmark with its own error, and gives no number."""
    assert "No module named 'airflow.providers.http'" in rows[-1]["error"]


def test_a_peer_is_measured_only_with_schemes_that_it_supports() -> None:
    """Data Factory's library sends no token without TLS, so no plan measures it without TLS."""
    from benchmarks.plan import full, short

    steps = [step for plan in (full(), short()) for step in plan.steps if step.subject == DataFactory.name]
    assert {step.arguments[0] for step in steps} == set(DataFactory.schemes) == {"https"}
