# SPDX-License-Identifier: Apache-2.0
"""The emulator as a program: faults, gates, settings, the admin API, the dashboard, the command and its docs."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from emulator_client import OFFER, Client
from partner_center_emulator import SCENARIOS, Emulator, Fault, ScaledClock, Settings
from partner_center_emulator.faults import ROUTES

DOCS = Path(__file__).parents[2] / "docs/emulator.md"


def test_faults_apply_in_order_and_as_often_as_requested(start_client: Callable[..., Client]) -> None:
    """Faults apply to their own route and offer only, in order, until their number of requests is reached."""
    client = start_client()
    client.emulator.inject(
        Fault("response", "status", times=2, status=503, headers={"Retry-After": "7"}, body="<html>")
    )
    client.emulator.inject(Fault("response", "status", offer="another", status=500))
    client.emulator.inject(Fault("hang", "status", seconds=0.05))
    responses = [client.request("GET", f"{OFFER}/status") for _ in range(4)]
    assert [response.status_code for response in responses] == [503, 503, 200, 200]
    assert responses[0].headers["Retry-After"] == "7"
    assert responses[0].text == "<html>"


@pytest.mark.parametrize(("after", "operations"), [(False, 0), (True, 1)])
def test_a_dropped_connection(start_client: Callable[..., Client], after: bool, operations: int) -> None:  # noqa: FBT001
    """A drop resets the connection before or after the publish takes effect."""
    client = start_client()
    client.token()
    client.emulator.inject(Fault("drop", "publish", after=after))
    with pytest.raises(requests.ConnectionError):
        client.publish()
    assert len(client.emulator.operations(OFFER)) == operations
    assert client.emulator.counts["publish"] == 1


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [("throttled", [429] * 3), ("server-errors", [500] * 5), ("dropped-connections", [None] * 3)],
)
def test_scenarios_that_fail_the_next_reads(
    start_client: Callable[..., Client], scenario: str, expected: list[int | None]
) -> None:
    """After a publish, the offer's next reads fail as its scenario says; then they succeed."""
    client = start_client(scenario)
    client.publish()
    codes: list[int | None] = []
    for _ in range(len(expected) + 1):
        try:
            codes.append(client.request("GET", f"{OFFER}/status").status_code)
        except requests.ConnectionError:
            codes.append(None)
    client.emulator.clock.advance(days=4)
    assert codes == [*expected, 200]
    assert client.status() == "waitingForPublisherReview"


def test_a_gate_holds_until_it_is_opened(start_client: Callable[..., Client]) -> None:
    """A gate holds a request before or after it takes effect, and the response is sent once the gate opens."""
    client = start_client()
    client.token()
    gate = client.emulator.gate("publish", after=True)
    responses: list[int] = []
    thread = threading.Thread(target=lambda: responses.append(client.publish().status_code))
    thread.start()
    gate.wait_until_reached()
    held = (responses[:], len(client.emulator.operations(OFFER)))
    gate.open()
    thread.join(10)
    assert held == ([], 1)
    assert responses == [202]
    with pytest.raises(TimeoutError):
        client.emulator.gate("cancel").wait_until_reached(0.01)


@pytest.mark.parametrize("wrong", [{"kind": "flood"}, {"kind": "drop", "route": "everything"}])
def test_a_fault_that_never_matches_is_rejected(wrong: dict[str, Any]) -> None:
    """A typo in a kind or route is an error, not a test that tests nothing."""
    with pytest.raises(ValueError, match="no fault of kind"):
        Fault(**wrong)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lag_status", "3", 3),
        ("second_publish", "400", 400),
        ("etag_on_get", "False", False),
        ("certification", "1.5h", timedelta(hours=1, minutes=30)),
        ("latency", "2", timedelta(seconds=2)),
        ("location_form", "dollar", "dollar"),
    ],
)
def test_settings_are_read_from_text(name: str, text: str, value: object) -> None:
    """Each type of setting can be given as text on the command line."""
    assert getattr(Settings().with_text(name, text), name) == value


@pytest.mark.parametrize(
    ("name", "text"), [("nothing", "1"), ("lag_status", "few"), ("casing", "snake"), ("latency", "2w")]
)
def test_an_unknown_setting_or_value_is_rejected(name: str, text: str) -> None:
    """An unknown name or value of a setting is an error."""
    with pytest.raises(ValueError, match=name):
        Settings().with_text(name, text)


def test_the_admin_api(start_client: Callable[..., Client]) -> None:
    """Without a token, other processes can add offers, act as a person, inject faults and read the counts."""
    client = start_client()
    verify = str(client.emulator.ca_file)

    def post(path: str, **options: Any) -> requests.Response:
        return requests.post(f"{client.emulator.url}/emulator/{path}", verify=verify, timeout=10, **options)

    codes = [
        post("offers/second", json={"scenario": "failed", "history": "succeeded"}).status_code,
        post("offers/third", json={"scenario": "odd"}).status_code,
        post(f"offers/{OFFER}/publish").status_code,
        post(f"offers/{OFFER}/publish").status_code,
        post(f"offers/{OFFER}/dance").status_code,
        post("offers/nobody/publish").status_code,
        post("faults", json={"kind": "response", "route": "status", "status": 500}).status_code,
        post("faults", json={"kind": "odd"}).status_code,
        post("revoke-tokens").status_code,
        post("rotate-secret").status_code,
        post("revoke-tokens", headers={"Origin": "https://evil.example"}).status_code,
    ]
    assert codes == [201, 400, 200, 409, 400, 404, 201, 400, 200, 200, 403]
    client.emulator.clock.advance(days=4)
    browser = post(f"offers/{OFFER}/sign-off", headers={"Accept": "text/html"}, allow_redirects=False)
    assert browser.status_code == 303
    assert client.emulator.status(OFFER)["status"] == "running"
    counts = requests.get(f"{client.emulator.url}/emulator/counts", verify=verify, timeout=10).json()
    offers = requests.get(f"{client.emulator.url}/emulator/offers", verify=verify, timeout=10).json()
    health = requests.get(f"{client.emulator.url}/emulator/health", verify=verify, timeout=10).json()
    assert counts == {"tokens": 0}
    assert offers["second"]["status"] == "succeeded"
    assert health == {"status": "serving"}


def test_the_dashboard_shows_offers_and_escapes_their_texts(start_client: Callable[..., Client]) -> None:
    """The dashboard shows each offer with its steps, a button if it awaits sign-off, and no markup from an offer."""
    client = start_client("blocked-then-rejected")
    client.emulator.add_offer("second")
    client.publish()
    client.publish("second")
    client.emulator.clock.advance(days=5)
    page = requests.get(client.emulator.url, verify=str(client.emulator.ca_file), timeout=10).text
    assert "contoso/contoso-vm" in page
    assert "&lt;b&gt;gold&lt;/b&gt;" in page
    assert "<b>gold</b>" not in page
    assert re.findall(r'action="([^"]+)"', page) == ["/emulator/offers/second/sign-off"]


def test_the_dashboard_without_a_certificate(start_client: Callable[..., Client]) -> None:
    """Over plain HTTP, a browser opens the dashboard and its button works; drafts link there; the API is not served."""
    emulator = start_client().emulator
    emulator.person(OFFER, "publish")
    emulator.clock.advance(days=5)
    address = emulator.serve_dashboard()
    assert emulator.serve_dashboard() == address
    page = requests.get(address, timeout=10)
    [action] = re.findall(r'action="([^"]+)"', page.text)
    own = requests.post(address + action, headers={"Origin": address}, timeout=10)
    assert own.status_code == 200
    assert emulator.status(OFFER)["status"] == "running"
    foreign = requests.post(address + action, headers={"Origin": "http://elsewhere.example"}, timeout=10)
    assert foreign.status_code == 403
    assert requests.get(f"{address}/api/publishers", timeout=10).status_code == 404
    client = Client(emulator)
    assert client.request("GET", OFFER).json()["pcRedirectUri"] == f"{address}/?offer={OFFER}"
    emulator.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=10)


def test_a_scaled_clock_makes_days_pass_in_moments() -> None:
    """On a fast clock a day passes in a moment, and displayed times are real times."""
    clock = ScaledClock(speed=86_400_000)
    before = clock.now()
    while clock.now() - before < timedelta(days=1):
        pass
    assert abs((clock.display_time(clock.now()) - datetime.now(timezone.utc)).total_seconds()) < 5
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in its own folder."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "partner_center_emulator", *arguments]
        process = subprocess.Popen(words, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[str]) -> list[str]:
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT" in line:
            break
    assert path.exists()
    return lines


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_commands_of_the_docs_work(command: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """The docs' command starts the emulator, their curl commands sign in, publish and read, and Ctrl-C stops it cleanly."""
    page = DOCS.read_text()
    started = re.search(r"partner-center-emulator (.+)", page)
    curls = re.search(r"```bash\n(.*?)```", page, re.DOTALL)
    assert started
    assert curls
    process = command(*started.group(1).replace("8443", str(free_port())).split())
    wait_for(tmp_path / "emulator-files/emulator.env", process)
    run = subprocess.run(["bash", "-e", "-c", curls.group(1)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "HTTP/1.1 202 Accepted" in run.stdout
    assert '"status": "running"' in run.stdout
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    counted = dict(re.findall(r"^  (\w[\w ]*?) +(\d+)$", out, re.MULTILINE))
    assert process.returncode == 0
    assert err == ""
    assert counted["token"] == "1"
    assert counted["publish"] == "1"
    assert counted["status"] == "1"
    assert counted["total"] == "3"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_product_ingestion_commands_of_the_docs_work(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The docs' curl commands for the Product Ingestion API find the product, publish it and read the job."""
    section = DOCS.read_text().split("## The Product Ingestion API")[1]
    curls = re.search(r"```bash\n(.*?)```", section, re.DOTALL)
    assert curls
    process = command("--port", str(free_port()), "--directory", "emulator-files")
    wait_for(tmp_path / "emulator-files/emulator.env", process)
    run = subprocess.run(["bash", "-e", "-c", curls.group(1)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert re.findall(r'"jobStatus": "(\w+)"', run.stdout)[0] == "notStarted"
    assert len(re.findall(r'"jobId": "([^"]+)"', run.stdout)) == 2
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert dict(re.findall(r"^  (configure\w+) +(\d+)$", out, re.MULTILINE)) == {
        "configure_publish": "1",
        "configure_status": "1",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can signal a thread of another process")
def test_a_signal_to_another_thread_stops_the_command(command: Callable[..., subprocess.Popen[str]]) -> None:
    """A signal that the kernel delivers to a serving thread, as a second Ctrl-C can be, also stops the command."""
    process = command("--port", "0")
    while process.stdout and "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT" not in process.stdout.readline():
        pass
    threads = [thread.id for thread in psutil.Process(process.pid).threads()]
    os.kill(next(number for number in threads if number != process.pid), signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_sigterm_stops_the_command_and_removes_its_files(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """On SIGTERM the command exits with code 0 and removes its temporary folder, whose files only the owner can read."""
    process = command("--port", "0", "--offer", "one=failed", "--set", "lag_status=2")
    lines = [line for _ in range(3) for line in [process.stdout.readline() if process.stdout else ""]]
    folder = Path(lines[2].split(": ")[1].strip()).parent
    assert oct(os.stat(folder / "emulator.env").st_mode & 0o777) == "0o600"  # noqa: PTH116 - the mode as the system has it
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "nothing=1"], "there is no setting nothing"),
        (["--offer", "x=odd"], "scenario is 'odd'"),
        (["--speed", "0"], "speed must be more than 0"),
    ],
)
def test_the_command_reports_a_wrong_option(
    command: Callable[..., subprocess.Popen[str]], arguments: list[str], message: str
) -> None:
    """A wrong option prints one line and exits with code 2."""
    process = command("--port", "0", *arguments)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("certificate", ["certificate_path"]),
        ("managed_identity", ["AZURE_POD_IDENTITY_AUTHORITY_HOST=http://127.0.0.1:"]),
        ("workload_identity", ["AZURE_FEDERATED_TOKEN_FILE=", "token_file"]),
    ],
)
def test_the_command_prints_the_requested_connection(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path, kind: str, expected: list[str]
) -> None:
    """With --auth, the printed lines contain the connection of that method and its environment variables."""
    process = command("--port", "0", "--directory", "here", "--auth", kind)
    printed = "".join(wait_for(tmp_path / "here/emulator.env", process))
    written = (tmp_path / "here/emulator.env").read_text()
    assert all(part in printed and part in written for part in (f'"auth": "{kind}"', *expected))


def test_a_port_in_use_is_reported(command: Callable[..., subprocess.Popen[str]]) -> None:
    """A port in use prints one line and exits with code 2."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = command("--port", str(listener.getsockname()[1]))
        _, err = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "cannot start" in err
    assert len(err.splitlines()) == 1


def table_of(heading: str) -> dict[str, list[str]]:
    section = DOCS.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_docs_list_the_scenarios() -> None:
    """The docs' table of scenarios equals the code's."""
    assert {name: cells[0] for name, cells in table_of("Scenarios").items()} == SCENARIOS


def test_the_docs_list_the_settings_with_their_defaults() -> None:
    """The docs list every setting with its default, and no other."""
    table = table_of("Settings")
    assert list(table) == [field.name for field in fields(Settings)]
    for name, cells in table.items():
        assert getattr(Settings().with_text(name, cells[0].strip("`")), name) == getattr(Settings(), name)


def test_the_docs_list_the_routes_of_the_product_ingestion_api() -> None:
    """The docs list every route of the Product Ingestion API, and no other."""
    named = [cells[-1] for cells in table_of("The Product Ingestion API").values()]
    routes = {name for cell in named for name in re.findall(r"`(\w+)`", cell)}
    assert routes == {*ROUTES[ROUTES.index("products") :], "other_host"}


def test_the_python_example_of_the_docs_runs(start_client: Callable[..., Client]) -> None:
    """The Python example of the docs runs, with its omitted publish filled in."""
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code
    publishing = 'emulator.clear_faults(); emulator.person("contoso-vm", "publish")'
    exec(compile(code.group(1).replace("...  # publish", publishing), "emulator.md", "exec"), {})  # noqa: S102 - our own docs


def test_two_emulators_are_independent() -> None:
    """Each emulator has its own tenant, secret and certificate authority."""
    with Emulator() as one, Emulator() as other:
        assert one.tenant_id != other.tenant_id
        assert one.client_secret != other.client_secret
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(one.url, verify=str(other.ca_file), timeout=10)


def test_a_jump_of_the_clock_takes_no_real_time() -> None:
    """A jump advances the clock, and times in between are displayed as the moment of the jump."""
    clock = ScaledClock(speed=1)
    before, world = clock.now(), datetime.now(timezone.utc)
    clock.jump(days=10)
    assert timedelta(days=10) <= clock.now() - before < timedelta(days=10, seconds=5)
    times = [clock.display_time(before + timedelta(days=days)) for days in (0, 5, 10)]
    assert all(abs(moment - world) < timedelta(seconds=5) for moment in times)
    assert times == sorted(times)


def test_a_restarted_emulator_keeps_its_state() -> None:
    """After a stop and a start, the emulator has the same address, certificate authority, offers and tenant."""
    with Emulator(Settings(), ScaledClock(speed=1)) as emulator:
        emulator.add_offer(OFFER)
        emulator.person(OFFER, "publish")
        address, certificate = emulator.url, emulator.ca_file.read_text()
        emulator.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(address, verify=False, timeout=10)  # noqa: S501 - nothing listens
        emulator.start()
        assert emulator.url == address
        assert emulator.ca_file.read_text() == certificate
        page = f"{address}/{emulator.tenant_id}/v2.0/.well-known/openid-configuration"
        assert requests.get(page, verify=str(emulator.ca_file), timeout=10).ok
        assert emulator.status(OFFER)["status"] == "running"
