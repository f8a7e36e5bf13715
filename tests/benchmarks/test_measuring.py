# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' parts, in small: the stub counts right, and what is measured is what happened. Nothing is timed."""

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
    certificate, _ = certificates.make(tmp_path)
    with serving(certificate, None) as server:
        yield server


def test_the_stub_counts_what_comes(stub: Stub, tmp_path: Path) -> None:
    """Connections, polls, pieces of work, tokens and what nobody should ask for are counted, plain and over TLS."""
    context = ssl.create_default_context(cafile=str(tmp_path / "bundle.pem"))
    with (
        closing(http.client.HTTPConnection("127.0.0.1", stub.ports["http"])) as plain,
        closing(http.client.HTTPSConnection("127.0.0.1", stub.ports["https"], context=context)) as secure,
    ):
        ask_for_all(plain, secure)
    counts = stub.counts()
    unknown = counts.pop("unknown")
    assert counts == {"connections": 2, "polls": 4, "seen": 2, "tokens": 1}
    assert unknown == [f"DELETE {path(1).partition('?')[0]}"]


def ask_for_all(plain: http.client.HTTPConnection, secure: http.client.HTTPConnection) -> None:
    for connection, number in ((plain, 1), (plain, 1), (plain, 2), (secure, 2)):
        connection.request("GET", path(number), headers={"Authorization": "Bearer x"})
        assert json.loads(connection.getresponse().read()) == documents.OPERATION
    secure.request("POST", "/contoso/oauth2/v2.0/token", body=b"grant_type=client_credentials")
    assert json.loads(secure.getresponse().read())["token_type"] == "Bearer"
    plain.request("DELETE", path(1))
    answer = plain.getresponse()
    assert (answer.status, answer.read()) == (404, b"{}")


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
def test_the_stub_says_of_the_peers_work_that_it_runs(stub: Stub, target: str, status: int, number: Any) -> None:
    """Each peer is answered about the work that it asked for, with as many steps as we are."""
    with closing(http.client.HTTPConnection("127.0.0.1", stub.ports["http"])) as connection:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
    assert (answer.status, str(number(json.loads(body))) if number else None) == (status, "7" if number else None)
    assert len(body) == pytest.approx(len(json.dumps(documents.OPERATION, separators=(",", ":"))), rel=0.15)
    assert stub.counts()["polls"] == 1


def test_what_the_stub_answers_is_an_operation_that_runs() -> None:
    """The document is one that the package itself reads as a publication in certification."""
    report = parse_status_report(documents.OPERATION)
    assert report.status is Status.RUNNING
    assert [step.name for step in report.steps][1] == "Certification"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Measure a few triggers, ours among them, as they are measured by the thousand."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, str(Path(__file__).parent / "a_few.py"), str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    return list(json.loads(result.stdout))


def test_polls_are_measured(rows: list[dict[str, Any]]) -> None:
    """The limit and ourselves poll, over kept connections, with one token, and say nothing while nothing changes."""
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
    """Memory, lag and the cost of paced waits are there; an idle loop polls nothing."""
    memory, restart, idle, ours = rows[3:7]
    assert (memory["benchmark"], "bytes_per_trigger" in memory) == ("memory", True)
    assert (restart["benchmark"], 1 <= restart["connections"] <= 3, restart["tokens"]) == ("restart", True, 0)
    assert (idle["number"], "polls" in idle, idle["beats"] > 10) == (0, False, True)
    assert ours["polls"] >= 2
    assert ours["lag_worst"] >= ours["lag_p99"] >= 0


def test_imports_are_measured(rows: list[dict[str, Any]]) -> None:
    """The floor and ourselves are imported, and we bring along no module of others."""
    found = {row["subject"]: row for row in rows if row.get("benchmark") == "imports"}
    assert set(found) == {"floor", "ours"}
    assert found["ours"]["modules"] > found["floor"]["modules"] > 0
    assert (found["floor"]["foreign_modules"], found["ours"]["foreign_modules"]) == (0, 0)


def test_a_measurement_that_goes_wrong_is_an_error(rows: list[dict[str, Any]]) -> None:
    """A subject that cannot be imported ends the benchmark with its own words, and gives no number."""
    assert "No module named 'airflow.providers.http'" in rows[-1]["error"]


def test_a_peer_is_measured_only_as_it_can_speak() -> None:
    """Data Factory's library sends no token without TLS, and no plan asks it to."""
    from benchmarks.plan import full, short

    steps = [step for plan in (full(), short()) for step in plan.steps if step.subject == DataFactory.name]
    assert {step.arguments[0] for step in steps} == set(DataFactory.schemes) == {"https"}
