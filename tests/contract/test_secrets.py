# SPDX-License-Identifier: Apache-2.0
"""What runs that fail leave behind holds no secret, token, assertion or signature, and each mask is needed for that."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from partner_center_emulator import Emulator, Fault, ManualClock, Settings
from support.search import LOUD, forms_of, hidden_in, parts_of_token, texts_of, without_airflows_own

import airflow_provider_cpp

DAGS = Path(__file__).parents[1] / "dags"
OFFERS = (
    *("plain", "unauthorized", "rejected", "hanging", "odd", "put-refused", "mapped-0", "mapped-1"),
    *("unauthorized-later", "blocked-later", "hanging-later"),
)
SIGNED = ("patch", "careless", "image", "data", "details", "expired", "mapped-0", "mapped-1", "told")
MANY = 60
"""Rows and files that such a run leaves at least, so that the search is known to have found them."""

WORDS = {
    "cloud_partner_portal": ("publication failed at step Certification", "has no place for"),
    "product_ingestion": ("Certification failed", "offer rejected: publication failed"),
}
"""What the run must have told on each API, lest it failed otherwise than was meant; and on both:"""

COMMON_WORDS = (
    "AADSTS7000215",
    "AADSTS700027",
    "put a new one into the connection",
    "TLS: unable to get local issuer certificate",
    "ReadTimeout",
    "TimeoutError: nothing came within 0.5 seconds",
    "HTTP 401",
    "HTTP 422",
    "expired on",
    "sig=***",
)

SECRET = 'a b+c/d=e&f%25"g\\h~ü'


@pytest.mark.parametrize("form", forms_of(SECRET))
def test_what_is_planted_is_found(form: str) -> None:
    """A secret that stands in the middle of a text is found in each form, and nothing is found where there is none."""
    texts = {"clean": "nothing here", "log": f"before{forms_of(SECRET)[form]}after"}
    assert {where for where, _ in hidden_in(texts, [SECRET])} == {"log"}


@pytest.mark.parametrize("before", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_more_than_the_secret_is_found(before: str, encode: Callable[[bytes], bytes]) -> None:
    """A secret is found inside base64, wherever it begins in what was encoded."""
    assert hidden_in({"log": encode(f"{before}{SECRET} and more".encode()).decode()}, [SECRET])


def signed_url(name: str, signature: str) -> str:
    """Return a shared access URL that is good for long enough, or was."""
    days = timedelta(days=-2 if name == "expired" else 30)
    end = datetime.now(timezone.utc) + days
    query = f"sv=2024-11-04&sr=c&sp=rl&se={end:%Y-%m-%dT%H:%M:%SZ}&sig={quote(signature, safe='')}"
    return f"https://contosoimages.blob.core.windows.net/vhds/{name}.vhd?{query}"


def report_quoting(portal: Emulator, url: str, word: str) -> str:
    """Return the answer for a publication that was rejected or is blocked, its message quoting a URL and a token."""
    markup = f'Certification: <a href="{url}">{url}</a> is not patched; {portal.tokens[0]}'
    step = {"id": "displaycertify", "stepName": "Certification"}
    step |= {"status": "rejected" if word == "failed" else "blocked"}
    step |= {"messages": [{"messageHtml": markup, "level": "error", "timestamp": "2026-11-03T09:00:00Z"}]}
    return json.dumps({"status": word, "steps": [step], "messages": [{"messageHtml": markup, "level": "error"}]})


def job_quoting(portal: Emulator, url: str) -> str:
    """Return the successor's answer for a job that failed in certification, its errors quoting a URL and a token."""
    quoting = {
        "code": url,
        "message": f'<a href="{url}">{url}</a> is not patched; {portal.tokens[0]}',
        "details": [url],
    }
    errors = [{"code": "internalError", "message": "Certification failed", "details": [quoting]}]
    return json.dumps({"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": errors})


def submissions_quoting(portal: Emulator, url: str) -> str:
    """Return the successor's answer for a submission that failed in certification, in words quoting a URL and a token."""
    words = {"status": "completed", "result": "failed", "created": "2026-11-03T09:00:00Z", "note": url}
    product = "12345678-1234-4321-8765-123456789012"
    entry = {
        "id": f"submission/{product}/1",
        "product": f"product/{product}",
        "target": {"targetType": "preview"},
    } | words
    other = entry | {"status": f"{url} {portal.tokens[0]}", "target": {"targetType": url}}
    return json.dumps({"value": [entry, other]})


def connections(portal: Emulator, other: Emulator, api: str) -> dict[str, str]:
    """Return the connections of the tasks, as variables of the environment."""
    plain = portal.connection_for(api=api)
    stranger = portal.connection_for("certificate", "inline", api)
    theirs = other.connection_for("certificate", "inline", api)
    stranger["extra"] |= {"private_key": theirs["extra"]["private_key"]}
    values = {
        "cloud_partner_portal_default": plain,
        "wrong_secret": plain | {"password": other.client_secret},
        "wrong_certificate": stranger,
        "revoked": portal.connection_for("access_token", api=api),
        "untrusted": plain | {"extra": plain["extra"] | {"verify": str(other.ca_file)}},
        "impatient": plain | {"extra": plain["extra"] | {"request_timeout": 0.5}},
        "echoing": other.connection_for(api=api),
    }
    portal.revoke_tokens()
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in values.items()}


ROUTES = {
    "cloud_partner_portal": {"look": "status", "job": "operation", "write": "put"},
    "product_ingestion": {"look": "submission_list", "job": "configure_status", "write": "configure_draft"},
}
"""Where each API is asked for an offer's state and for an operation's, and where its draft is written."""


def prepare(portal: Emulator, other: Emulator, told: str, api: str) -> None:
    """Make go wrong what is to go wrong."""
    for offer in OFFERS:
        portal.add_offer(offer)
    sas, routes = f"{told} and {told.replace('&', '&amp;')}", ROUTES[api]
    echo = json.dumps({"error": {"code": "Odd", "message": f"{sas} {portal.tokens[0]}"}})
    for route, suffix in ((routes["look"], ""), (routes["job"], "-later")):
        portal.inject(Fault("answer", route, f"unauthorized{suffix}", times=99, status=401, body=echo))
        portal.inject(Fault("hang", route, f"hanging{suffix}", times=99, seconds=2))
    if api == "product_ingestion":
        rejected, blocked = submissions_quoting(portal, told), job_quoting(portal, told)
    else:
        rejected, blocked = (report_quoting(portal, told, word) for word in ("failed", "running"))
    portal.inject(Fault("answer", routes["look"], "rejected", times=99, status=200, body=rejected))
    portal.inject(Fault("answer", routes["job"], "blocked-later", times=99, status=200, body=blocked))
    portal.inject(Fault("answer", routes["look"], "odd", times=99, status=200, body=f"no JSON: {sas}"))
    portal.inject(Fault("answer", routes["write"], "put-refused", times=99, status=422, body=echo))
    said = f"it was {other.client_secret} and {portal.tokens[0]}"
    body = json.dumps({"error": "odd", "error_description": said})
    other.inject(Fault("answer", "token", times=99, status=400, body=body))


@pytest.mark.long
@pytest.mark.parametrize("api", ["cloud_partner_portal", pytest.param("product_ingestion", marks=pytest.mark.again)])
def test_runs_that_fail_show_nothing(airflow_home: Path, api: str) -> None:
    """Refused, untrusted, late and rejected, at DEBUG: no log, XCom, rendered field or error has a secret in it."""
    signatures = {name: base64.b64encode(b"\xff\xfe" + secrets.token_bytes(30)).decode() for name in SIGNED}
    urls = {name: signed_url(name, signature) for name, signature in signatures.items()}
    settings = Settings(draft_job=timedelta())  # the clock stands still, and a change of a draft is waited for
    with Emulator(settings, ManualClock()) as portal, Emulator(Settings(), ManualClock()) as other:
        environment = os.environ | LOUD | connections(portal, other, api)
        environment |= {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "FAILING_RUNS_URLS": json.dumps(urls)}
        environment |= {"FAILING_RUNS_API": api}
        prepare(portal, other, urls["told"], api)
        command = [sys.executable, "-m", "airflow", "dags", "test", "failing_runs"]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        key = json.loads(environment["AIRFLOW_CONN_WRONG_CERTIFICATE"])["extra"]["private_key"]
        careless = signatures.pop("careless")
        hidden = [portal.client_secret, other.client_secret, *signatures.values(), *key.split("\n")[2:-3]]
        shown = [*portal.tokens, *portal.assertions, *other.tokens]
        hidden += [part for token in shown for part in parts_of_token(token)]
        assert portal.assertions
    output = without_airflows_own(result.stdout)
    texts = {"stdout": output, "stderr": result.stderr, **texts_of(airflow_home)}
    assert [word for word in (*COMMON_WORDS, *WORDS[api]) if word not in output] == [], output[-5000:]
    assert len(texts) > MANY, len(texts)
    assert hidden_in(texts, hidden) == []
    # ``dags test`` prints exceptions past Airflow's masker; in a deployment's log they are masked, which the copies below show.
    printed = {"stdout", "stderr"}
    assert hidden_in({where: text for where, text in texts.items() if where not in printed}, [careless]) == []


SHOWING = Path(__file__).with_name("everything_shown.py")
PACKAGE = Path(airflow_provider_cpp.__file__).parent
NOT_SECRET = {"transport/auth/client_assertion.py repr=False 1"}
"""A key of the cryptography package, which shows its address."""

BY_HAND = (
    ("operators/draft.py", "            mask_signatures(value)\n", ""),
    ("tasks/masking.py", "(signature, decoded, unquote(decoded), unquote(unquote(decoded)))", "(signature,)"),
    ("tasks/masking.py", "(signature, decoded, unquote(decoded), unquote(unquote(decoded)))", "(unquote(decoded),)"),
    ("tasks/draft.py", '        mask_signatures("".join(traceback.format_exception(error)))\n', ""),
    ("core/redaction.py", "        text = redact_sas_signatures(text)\n", ""),
    ("core/redaction.py", '            text = _TOKEN.sub("***", text)\n', "            pass\n"),
    (
        "apis/cloud_partner_portal/models.py",
        'sanitize_line(as_text(data.get("messageHtml")))',
        'as_text(data.get("messageHtml"))',
    ),
    (
        "apis/cloud_partner_portal/models.py",
        'sanitize_line(as_text(data.get("level")).lower(), 40)',
        'as_text(data.get("level")).lower()',
    ),
    ("apis/cloud_partner_portal/models.py", "text=sanitize_line(as_text(data))", "text=as_text(data)"),
    ("core/http.py", "sanitize_line(code, 100)", "code"),
    ("core/http.py", 'sanitize_line(body[: longest * 20].decode("utf-8", "replace"), longest)', "body.decode()"),
    (
        "apis/product_ingestion/models.py",
        'code=sanitize_line(as_text(data.get("code")), 100)',
        'code=as_text(data.get("code"))',
    ),
    (
        "apis/product_ingestion/models.py",
        'message=sanitize_line(as_text(data.get("message")))',
        'message=as_text(data.get("message"))',
    ),
    (
        "apis/product_ingestion/models.py",
        'return cls("", sanitize_line(as_text(data)))',
        'return cls("", as_text(data))',
    ),
    ("transport/auth/msal_session.py", 'text.replace(secret, "***")', "text"),
    ("transport/auth/msal_session.py", '.replace(quote_plus(secret), "***")', ""),
    ("transport/auth/msal_session.py", "return sanitize_line(self._unsaid(text), MAX_TEXT)", "return text"),
    ("transport/auth/msal_session.py", 'TOKEN.sub("***", self._unsaid(text))', "self._unsaid(text)"),
    ("transport/network_errors.py", '_USER.sub("//***@", text)', "text"),
)
"""Masks: the file, what is taken out of it, and what is put there instead."""


def found_by_looking() -> Iterator[tuple[str, str, int, str]]:
    """Yield every field that is kept out of a repr, and every argument that is masked when it is set."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name, text = path.relative_to(PACKAGE).as_posix(), path.read_text()
        if not name.startswith("emulator/"):
            yield from ((name, "repr=False", number, "repr=True") for number in range(text.count("repr=False")))
            yield from ((name, "= Masked()", number, "= None") for number in range(text.count("= Masked()")))


def masks() -> dict[str, tuple[str, str]]:
    """Return each mask by a name: its file, and the file's text without it."""
    found: dict[str, tuple[str, str]] = {}
    for name, old, new in BY_HAND:
        text = (PACKAGE / name).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        found[f"{name} {old.strip()} {new}".strip()] = name, text.replace(old, new)
    for name, old, number, new in found_by_looking():
        parts = (PACKAGE / name).read_text().split(old)
        before, after = old.join(parts[: number + 1]), old.join(parts[number + 1 :])
        found[f"{name} {old} {number + 1}"] = name, before + new + after
    return {name: change for name, change in found.items() if name not in NOT_SECRET}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[tuple[str, str]]]]:
    """Return a function that says what is shown without a mask; one process does it all, which imports what is heavy once."""
    home, out = tmp_path_factory.mktemp("copies"), tmp_path_factory.mktemp("shown")
    changes = masks() | {"none": ("__init__.py", (PACKAGE / "__init__.py").read_text())}
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(SHOWING), str(out)], env=environment, **pipes) as showing:

        def look(name: str) -> list[tuple[str, str]]:
            number, (file, text) = str(list(changes).index(name)), changes[name]
            copy = home / number
            shutil.copytree(PACKAGE, copy / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
            (copy / PACKAGE.name / file).write_text(text)
            showing.stdin.write(f"{copy}\n")
            showing.stdin.flush()
            while showing.stdout.readline() not in (f"{number}\n", ""):
                pass  # what Airflow says while it is imported
            value = json.loads((out / f"{number}.json").read_text())
            return hidden_in({str(number): text for number, text in enumerate(value["texts"])}, value["secrets"])

        yield look


@pytest.mark.tree
def test_everything_that_can_be_shown_shows_nothing(shown: Callable[[str], list[tuple[str, str]]]) -> None:
    """Values, errors, log lines and rendered fields of the package as it is hold nothing secret."""
    assert shown("none") == []


@pytest.mark.tree
@pytest.mark.parametrize("name", masks())
def test_each_mask_is_needed(shown: Callable[[str], list[tuple[str, str]]], name: str) -> None:
    """With any one mask taken out, something secret is shown."""
    assert shown(name)
