# SPDX-License-Identifier: Apache-2.0
"""The emulator as a program: faults, gates, control from outside, the page, the command."""

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
from partner_center_emulator import SCENARIOS, Emulator, Fault, ScaledClock, Settings
from partner_center_emulator.faults import ROUTES

OFFER = "contoso-vm"
PAGE = Path(__file__).parents[2] / "docs/emulator.md"


def test_faults_strike_in_order_and_as_often_as_asked(client: Callable[..., Any]) -> None:
    """Faults answer, hang, and strike their own route and offer only, before the portal's own answers return."""
    mine = client()
    mine.portal.inject(Fault("answer", "status", times=2, status=503, headers={"Retry-After": "7"}, body="<html>"))
    mine.portal.inject(Fault("answer", "status", offer="another", status=500))
    mine.portal.inject(Fault("hang", "status", seconds=0.05))
    answers = [mine.call("GET", f"{OFFER}/status") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 200, 200]
    assert (answers[0].headers["Retry-After"], answers[0].text) == ("7", "<html>")


@pytest.mark.parametrize(("after", "operations"), [(False, 0), (True, 1)])
def test_a_dropped_connection(client: Callable[..., Any], after: bool, operations: int) -> None:  # noqa: FBT001
    """A drop resets the connection, before the order is taken or after it."""
    mine = client()
    mine.token()
    mine.portal.inject(Fault("drop", "publish", after=after))
    with pytest.raises(requests.ConnectionError):
        mine.publish()
    assert (len(mine.portal.operations(OFFER)), mine.portal.counts["publish"]) == (operations, 1)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [("throttled", [429] * 3), ("server-errors", [500] * 5), ("dropped-connections", [None] * 3)],
)
def test_scenarios_that_trouble_the_reads(
    client: Callable[..., Any], scenario: str, expected: list[int | None]
) -> None:
    """After a publish the offer's next reads go wrong as its scenario says, then they are well, and it gets live."""
    mine = client(scenario)
    mine.publish()
    seen: list[int | None] = []
    for _ in range(len(expected) + 1):
        try:
            seen.append(mine.call("GET", f"{OFFER}/status").status_code)
        except requests.ConnectionError:
            seen.append(None)
    mine.portal.clock.advance(days=4)
    assert (seen, mine.status()) == ([*expected, 200], "waitingForPublisherReview")


def test_a_gate_holds_until_it_is_opened(client: Callable[..., Any]) -> None:
    """A request that reached a gate has taken effect or not, as was asked, and is answered once it opens."""
    mine = client()
    mine.token()
    gate = mine.portal.gate("publish", after=True)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(mine.publish().status_code))
    thread.start()
    gate.wait_until_reached()
    held = (answers[:], len(mine.portal.operations(OFFER)))
    gate.open()
    thread.join(10)
    assert (held, answers) == (([], 1), [202])
    with pytest.raises(TimeoutError):
        mine.portal.gate("cancel").wait_until_reached(0.01)


@pytest.mark.parametrize("wrong", [{"kind": "flood"}, {"kind": "drop", "route": "everything"}])
def test_a_fault_that_would_never_strike_is_refused(wrong: dict[str, Any]) -> None:
    """A misspelt kind or route is an error rather than a test that tests nothing."""
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
    """Each kind of setting has a form on the command line."""
    assert getattr(Settings().with_text(name, text), name) == value


@pytest.mark.parametrize(
    ("name", "text"), [("nothing", "1"), ("lag_status", "few"), ("casing", "snake"), ("latency", "2w")]
)
def test_a_setting_that_is_none_is_refused(name: str, text: str) -> None:
    """A name or value that does not exist is an error."""
    with pytest.raises(ValueError, match=name):
        Settings().with_text(name, text)


def test_the_person_and_the_faults_from_outside(client: Callable[..., Any]) -> None:
    """Over HTTPS, without a token, one can add offers, act as the person, inject faults and read the counts."""
    mine = client()
    verify = str(mine.portal.ca_file)

    def post(path: str, **options: Any) -> requests.Response:
        return requests.post(f"{mine.portal.url}/emulator/{path}", verify=verify, timeout=10, **options)

    codes = [
        post("offers/second", json={"scenario": "failed", "history": "succeeded"}).status_code,
        post("offers/third", json={"scenario": "odd"}).status_code,
        post(f"offers/{OFFER}/publish").status_code,
        post(f"offers/{OFFER}/publish").status_code,
        post(f"offers/{OFFER}/dance").status_code,
        post("offers/nobody/publish").status_code,
        post("faults", json={"kind": "answer", "route": "status", "status": 500}).status_code,
        post("faults", json={"kind": "odd"}).status_code,
        post("revoke-tokens").status_code,
        post("rotate-secret").status_code,
        post("revoke-tokens", headers={"Origin": "https://evil.example"}).status_code,
    ]
    assert codes == [201, 400, 200, 409, 400, 404, 201, 400, 200, 200, 403]
    mine.portal.clock.advance(days=4)
    browser = post(f"offers/{OFFER}/sign-off", headers={"Accept": "text/html"}, allow_redirects=False)
    assert (browser.status_code, mine.portal.status(OFFER)["status"]) == (303, "running")
    counts = requests.get(f"{mine.portal.url}/emulator/counts", verify=verify, timeout=10).json()
    offers = requests.get(f"{mine.portal.url}/emulator/offers", verify=verify, timeout=10).json()
    health = requests.get(f"{mine.portal.url}/emulator/health", verify=verify, timeout=10).json()
    assert (counts, offers["second"]["status"], health) == ({"tokens": 0}, "succeeded", {"status": "serving"})


def test_the_page_shows_offers_and_escapes_what_they_say(client: Callable[..., Any]) -> None:
    """A browser sees each offer with its steps and a button where it is parked; nothing in it is markup of an offer."""
    mine = client("blocked-then-rejected")
    mine.portal.add_offer("parked-one")
    mine.publish()
    mine.publish("parked-one")
    mine.portal.clock.advance(days=5)
    page = requests.get(mine.portal.url, verify=str(mine.portal.ca_file), timeout=10).text
    assert ("contoso/contoso-vm" in page, "&lt;b&gt;gold&lt;/b&gt;" in page, "<b>gold</b>" in page) == (
        True,
        True,
        False,
    )
    assert re.findall(r'action="([^"]+)"', page) == ["/emulator/offers/parked-one/sign-off"]


def test_a_scaled_clock_makes_days_pass_in_moments() -> None:
    """On a scaled clock a day passes in a moment, and what it shows are times of the world."""
    clock = ScaledClock(speed=86_400_000)
    before = clock.now()
    while clock.now() - before < timedelta(days=1):
        pass
    assert abs((clock.shown(clock.now()) - datetime.now(timezone.utc)).total_seconds()) < 5
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts the command in a folder of its own and waits until it serves."""
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


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="there is no curl on this machine to run the page's commands with"
)
def test_the_commands_of_the_page_work(command: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """The page's own command starts the emulator, its curl commands sign in, publish and read, and Ctrl-C ends it well."""
    page = PAGE.read_text()
    started = re.search(r"partner-center-emulator (.+)", page)
    curls = re.search(r"```bash\n(.*?)```", page, re.DOTALL)
    assert started
    assert curls
    process = command(*started.group(1).replace("8443", str(free_port())).split())
    wait_for(tmp_path / "emulator-files/emulator.env", process)
    run = subprocess.run(["bash", "-e", "-c", curls.group(1)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ("HTTP/1.1 202 Accepted" in run.stdout, '"status": "running"' in run.stdout) == (True, True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    counted = dict(re.findall(r"^  (\w[\w ]*?) +(\d+)$", out, re.MULTILINE))
    assert (process.returncode, err) == (0, "")
    assert (counted["token"], counted["publish"], counted["status"], counted["in all"]) == ("1", "1", "1", "3")


@pytest.mark.skipif(shutil.which("curl") is None, reason="as above")
def test_the_other_api_s_commands_of_the_page_work(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """The page's curl commands for the Product Ingestion API find the product, publish it and read the job."""
    section = PAGE.read_text().split("## The Product Ingestion API")[1]
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a signal cannot be sent to a thread of another process")
def test_a_signal_that_another_thread_takes_ends_it_too(command: Callable[..., subprocess.Popen[str]]) -> None:
    """Of two Ctrl-C that come close together the kernel may hand both to a thread that serves, and the first one sleeps on."""
    process = command("--port", "0")
    while process.stdout and "AIRFLOW_CONN_CLOUD_PARTNER_PORTAL_DEFAULT" not in process.stdout.readline():
        pass
    threads = [thread.id for thread in psutil.Process(process.pid).threads()]
    os.kill(next(number for number in threads if number != process.pid), signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_the_command_ends_on_a_signal_and_tidies_up(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """SIGTERM ends it with code 0, its temporary folder is gone, and the shell's lines were for its owner only."""
    process = command("--port", "0", "--offer", "one=failed", "--set", "lag_status=2")
    lines = [line for _ in range(2) for line in [process.stdout.readline() if process.stdout else ""]]
    folder = Path(lines[1].split(": ")[1].strip()).parent
    assert oct(os.stat(folder / "emulator.env").st_mode & 0o777) == "0o600"  # noqa: PTH116 - the mode as the system has it
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert (process.returncode, folder.exists()) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "nothing=1"], "there is no setting nothing"),
        (["--offer", "x=odd"], "scenario is 'odd'"),
        (["--speed", "0"], "speed must be more than 0"),
    ],
)
def test_the_command_says_what_is_wrong(
    command: Callable[..., subprocess.Popen[str]], arguments: list[str], said: str
) -> None:
    """A wrong option is one line and exit code 2."""
    process = command("--port", "0", *arguments)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, said in err, len(err.splitlines())) == (2, True, 1)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("certificate", ["certificate_path"]),
        ("managed_identity", ["AZURE_POD_IDENTITY_AUTHORITY_HOST=http://127.0.0.1:"]),
        ("workload_identity", ["AZURE_FEDERATED_TOKEN_FILE=", "token_file"]),
    ],
)
def test_the_command_prints_the_connection_that_is_wanted(
    command: Callable[..., subprocess.Popen[str]], tmp_path: Path, kind: str, expected: list[str]
) -> None:
    """With --auth the shell's lines have the connection of that kind, and what it needs in the environment."""
    process = command("--port", "0", "--directory", "here", "--auth", kind)
    printed = "".join(wait_for(tmp_path / "here/emulator.env", process))
    written = (tmp_path / "here/emulator.env").read_text()
    assert all(part in printed and part in written for part in (f'"auth": "{kind}"', *expected))


def test_a_port_that_is_taken_is_said(command: Callable[..., subprocess.Popen[str]]) -> None:
    """A port in use is one line and exit code 2."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = command("--port", str(listener.getsockname()[1]))
        _, err = process.communicate(timeout=20)
    assert (process.returncode, "cannot start" in err, len(err.splitlines())) == (2, True, 1)


def table_of(heading: str) -> dict[str, list[str]]:
    section = PAGE.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_page_lists_the_scenarios() -> None:
    """The page's table of scenarios is the code's."""
    assert {name: cells[0] for name, cells in table_of("Scenarios").items()} == SCENARIOS


def test_the_page_lists_the_settings_with_their_defaults() -> None:
    """The page names every setting, with the default that the code has, and no other."""
    table = table_of("Settings")
    assert list(table) == [field.name for field in fields(Settings)]
    for name, cells in table.items():
        assert getattr(Settings().with_text(name, cells[0].strip("`")), name) == getattr(Settings(), name)


def test_the_page_lists_the_routes_of_the_other_api() -> None:
    """The page names every route of the Product Ingestion API by which requests are counted, and no other."""
    named = [cells[-1] for cells in table_of("The Product Ingestion API").values()]
    routes = {name for cell in named for name in re.findall(r"`(\w+)`", cell)}
    assert routes == {*ROUTES[ROUTES.index("products") :], "other_host"}


def test_the_page_s_python_runs(client: Callable[..., Any]) -> None:
    """The example for one's own tests runs as it stands, but for the publish that it leaves out."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code
    publishing = 'portal.clear_faults(); portal.person("contoso-vm", "publish")'
    exec(compile(code.group(1).replace("...  # publish", publishing), "emulator.md", "exec"), {})  # noqa: S102 - it is our own page


def test_two_emulators_do_not_know_each_other() -> None:
    """Each emulator has its own tenant, secret and authority."""
    with Emulator() as one, Emulator() as other:
        assert (one.tenant_id == other.tenant_id, one.client_secret == other.client_secret) == (False, False)
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(one.url, verify=str(other.ca_file), timeout=10)


def test_time_that_passes_at_once_takes_no_time_of_the_world() -> None:
    """After a jump the portal's time is further on, and what happened in between is shown at the moment of the jump."""
    clock = ScaledClock(speed=1)
    before, world = clock.now(), datetime.now(timezone.utc)
    clock.jump(days=10)
    assert timedelta(days=10) <= clock.now() - before < timedelta(days=10, seconds=5)
    shown = [clock.shown(before + timedelta(days=days)) for days in (0, 5, 10)]
    assert all(abs(moment - world) < timedelta(seconds=5) for moment in shown)
    assert shown == sorted(shown)


def test_a_portal_that_was_stopped_goes_on_where_it_was() -> None:
    """After a stop and another start it is at the same address, trusted as before, with its offers and its tokens."""
    with Emulator(Settings(), ScaledClock(speed=1)) as portal:
        portal.add_offer(OFFER)
        portal.person(OFFER, "publish")
        address, certificate = portal.url, portal.ca_file.read_text()
        portal.stop()
        with pytest.raises(requests.ConnectionError):
            requests.get(address, verify=False, timeout=10)  # noqa: S501 - nobody is there
        portal.start()
        assert (portal.url, portal.ca_file.read_text()) == (address, certificate)
        page = f"{address}/{portal.tenant_id}/v2.0/.well-known/openid-configuration"
        assert requests.get(page, verify=str(portal.ca_file), timeout=10).ok
        assert portal.status(OFFER)["status"] == "running"
