# SPDX-License-Identifier: Apache-2.0
"""Runs that fail leave no secret, token, assertion or signature anywhere, and each mask is needed for that."""

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
SIGNED = ("patch", "careless", "image", "data", "details", "expired", "mapped-0", "mapped-1", "echoed")
MIN_TEXTS = 60
"""The least number of rows and files of such a run, so that the search cannot pass on nothing."""

API_TEXTS = {
    "cloud_partner_portal": ("publication failed at step Certification", "has no place for"),
    "product_ingestion": ("Certification failed", "offer rejected: publication failed"),
}
"""Texts that the run must log on each API, to show that it failed as intended; the common ones follow."""

COMMON_TEXTS = (
    "AADSTS7000215",
    "AADSTS700027",
    "put a new one into the connection",
    "TLS: unable to get local issuer certificate",
    "ReadTimeout",
    "TimeoutError: no response within 0.5 seconds",
    "HTTP 401",
    "HTTP 422",
    "expired on",
    "sig=***",
)

SECRET = 'a b+c/d=e&f%25"g\\h~ü'


@pytest.mark.parametrize("form", forms_of(SECRET))
def test_a_secret_in_a_text_is_found(form: str) -> None:
    """A secret in the middle of a text is found in each form, and nothing is found in a text without it."""
    texts = {"clean": "nothing here", "log": f"before{forms_of(SECRET)[form]}after"}
    assert {where for where, _ in hidden_in(texts, [SECRET])} == {"log"}


@pytest.mark.parametrize("before", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_more_than_the_secret_is_found(before: str, encode: Callable[[bytes], bytes]) -> None:
    """A secret is found inside base64, at any offset in the encoded text."""
    assert hidden_in({"log": encode(f"{before}{SECRET} and more".encode()).decode()}, [SECRET])


def signed_url(name: str, signature: str) -> str:
    """Return a shared access signature URL that is valid for long enough, or has expired."""
    days = timedelta(days=-2 if name == "expired" else 30)
    end = datetime.now(timezone.utc) + days
    query = f"sv=2024-11-04&sr=c&sp=rl&se={end:%Y-%m-%dT%H:%M:%SZ}&sig={quote(signature, safe='')}"
    return f"https://contosoimages.blob.core.windows.net/vhds/{name}.vhd?{query}"


def report_quoting(emulator: Emulator, url: str, status: str) -> str:
    """Return the status of a rejected or blocked publication whose message quotes a URL and a token."""
    markup = f'Certification: <a href="{url}">{url}</a> is not patched; {emulator.tokens[0]}'
    step = {"id": "displaycertify", "stepName": "Certification"}
    step |= {"status": "rejected" if status == "failed" else "blocked"}
    step |= {"messages": [{"messageHtml": markup, "level": "error", "timestamp": "2026-11-03T09:00:00Z"}]}
    return json.dumps({"status": status, "steps": [step], "messages": [{"messageHtml": markup, "level": "error"}]})


def job_quoting(emulator: Emulator, url: str) -> str:
    """Return a Product Ingestion job that failed in certification, whose errors quote a URL and a token."""
    quoting = {
        "code": url,
        "message": f'<a href="{url}">{url}</a> is not patched; {emulator.tokens[0]}',
        "details": [url],
    }
    errors = [{"code": "internalError", "message": "Certification failed", "details": [quoting]}]
    return json.dumps({"jobId": "1", "jobStatus": "completed", "jobResult": "failed", "errors": errors})


def submissions_quoting(emulator: Emulator, url: str) -> str:
    """Return Product Ingestion submissions that failed in certification and quote a URL and a token."""
    state = {"status": "completed", "result": "failed", "created": "2026-11-03T09:00:00Z", "note": url}
    product = "12345678-1234-4321-8765-123456789012"
    submission = {
        "id": f"submission/{product}/1",
        "product": f"product/{product}",
        "target": {"targetType": "preview"},
    } | state
    other = submission | {"status": f"{url} {emulator.tokens[0]}", "target": {"targetType": url}}
    return json.dumps({"value": [submission, other]})


def connection_variables(emulator: Emulator, other: Emulator, api: str) -> dict[str, str]:
    """Return the tasks' connections as environment variables."""
    plain = emulator.connection_for(api=api)
    stranger = emulator.connection_for("certificate", "inline", api)
    theirs = other.connection_for("certificate", "inline", api)
    stranger["extra"] |= {"private_key": theirs["extra"]["private_key"]}
    values = {
        "cloud_partner_portal_default": plain,
        "wrong_secret": plain | {"password": other.client_secret},
        "wrong_certificate": stranger,
        "revoked": emulator.connection_for("access_token", api=api),
        "untrusted": plain | {"extra": plain["extra"] | {"verify": str(other.ca_file)}},
        "impatient": plain | {"extra": plain["extra"] | {"request_timeout": 0.5}},
        "echoing": other.connection_for(api=api),
    }
    emulator.revoke_tokens()
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in values.items()}


ROUTES = {
    "cloud_partner_portal": {"status": "status", "job": "operation", "write": "put"},
    "product_ingestion": {"status": "submission_list", "job": "configure_status", "write": "configure_draft"},
}
"""The emulator's routes for an offer's status, for an operation's, and for a write of a draft."""


def prepare(emulator: Emulator, other: Emulator, echoed: str, api: str) -> None:
    """Add the offers and inject the faults."""
    for offer in OFFERS:
        emulator.add_offer(offer)
    sas, routes = f"{echoed} and {echoed.replace('&', '&amp;')}", ROUTES[api]
    echo = json.dumps({"error": {"code": "Odd", "message": f"{sas} {emulator.tokens[0]}"}})
    for route, suffix in ((routes["status"], ""), (routes["job"], "-later")):
        emulator.inject(Fault("response", route, f"unauthorized{suffix}", times=99, status=401, body=echo))
        emulator.inject(Fault("hang", route, f"hanging{suffix}", times=99, seconds=2))
    if api == "product_ingestion":
        rejected, blocked = submissions_quoting(emulator, echoed), job_quoting(emulator, echoed)
    else:
        rejected, blocked = (report_quoting(emulator, echoed, status) for status in ("failed", "running"))
    emulator.inject(Fault("response", routes["status"], "rejected", times=99, status=200, body=rejected))
    emulator.inject(Fault("response", routes["job"], "blocked-later", times=99, status=200, body=blocked))
    emulator.inject(Fault("response", routes["status"], "odd", times=99, status=200, body=f"no JSON: {sas}"))
    emulator.inject(Fault("response", routes["write"], "put-refused", times=99, status=422, body=echo))
    text = f"it was {other.client_secret} and {emulator.tokens[0]}"
    body = json.dumps({"error": "odd", "error_description": text})
    other.inject(Fault("response", "token", times=99, status=400, body=body))


@pytest.mark.long
@pytest.mark.parametrize("api", ["cloud_partner_portal", pytest.param("product_ingestion", marks=pytest.mark.again)])
def test_runs_that_fail_show_no_secret(airflow_home: Path, api: str) -> None:
    """At DEBUG, runs that fail in many ways leave no secret in a log, XCom, rendered field or error."""
    signatures = {name: base64.b64encode(b"\xff\xfe" + secrets.token_bytes(30)).decode() for name in SIGNED}
    urls = {name: signed_url(name, signature) for name, signature in signatures.items()}
    settings = Settings(draft_job=timedelta())  # the clock does not move, and tasks wait for a draft job
    with Emulator(settings, ManualClock()) as emulator, Emulator(Settings(), ManualClock()) as other:
        environment = os.environ | LOUD | connection_variables(emulator, other, api)
        environment |= {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS), "FAILING_RUNS_URLS": json.dumps(urls)}
        environment |= {"FAILING_RUNS_API": api}
        prepare(emulator, other, urls["echoed"], api)
        command = [sys.executable, "-m", "airflow", "dags", "test", "failing_runs"]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        key = json.loads(environment["AIRFLOW_CONN_WRONG_CERTIFICATE"])["extra"]["private_key"]
        careless = signatures.pop("careless")
        hidden = [emulator.client_secret, other.client_secret, *signatures.values(), *key.split("\n")[2:-3]]
        tokens = [*emulator.tokens, *emulator.assertions, *other.tokens]
        hidden += [part for token in tokens for part in parts_of_token(token)]
        assert emulator.assertions
    output = without_airflows_own(result.stdout)
    texts = {"stdout": output, "stderr": result.stderr, **texts_of(airflow_home)}
    assert [text for text in (*COMMON_TEXTS, *API_TEXTS[api]) if text not in output] == [], output[-5000:]
    assert len(texts) > MIN_TEXTS, len(texts)
    assert hidden_in(texts, hidden) == []
    # ``dags test`` prints exceptions unmasked; the tests below show that they are masked in a deployment's log.
    printed = {"stdout", "stderr"}
    assert hidden_in({where: text for where, text in texts.items() if where not in printed}, [careless]) == []


SCRIPT = Path(__file__).with_name("output_of_copies.py")
PACKAGE = Path(airflow_provider_cpp.__file__).parent
LISTED_MASKS = (
    ("operators/draft.py", "            mask_signatures(value)\n", ""),
    ("tasks/masking.py", "for form in _forms(signature):", "for form in (signature,):"),
    ("tasks/masking.py", "for form in _forms(signature):", "for form in (unquote(signature),):"),
    ("tasks/draft.py", '        mask_signatures("".join(traceback.format_exception(error)))\n', ""),
    ("core/redaction.py", "        text = redact_sas_signatures(text)\n", ""),
    ("core/redaction.py", '        text = _TOKEN.sub("***", text)\n', ""),
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
    ("transport/auth/msal_session.py", 'masked.replace(secret, "***")', "masked"),
    ("transport/auth/msal_session.py", "unquote(JSON_ESCAPE", "(JSON_ESCAPE"),
    ("transport/auth/msal_session.py", "return sanitize_line(self._mask_secrets(text), MAX_TEXT)", "return text"),
    ("transport/auth/msal_session.py", 'TOKEN.sub("***", masked)', "masked"),
    ("transport/network_errors.py", '_USER.sub("//***@", text)', "text"),
)
"""Masks: the file, the text to remove, and its replacement."""


def masks_in_source() -> Iterator[tuple[str, str, int, str]]:
    """Yield every field that is not in a repr, and every argument that is masked when it is set."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name, text = path.relative_to(PACKAGE).as_posix(), path.read_text()
        for mask, replacement in (("repr=False", "repr=True"), ("= MaskedField()", "= None")):
            yield from ((name, mask, number, replacement) for number in range(text.count(mask)))


def masks() -> dict[str, tuple[str, str]]:
    """Return each mask by name: its file, and the file's text without it."""
    masked: dict[str, tuple[str, str]] = {}
    for name, old, new in LISTED_MASKS:
        text = (PACKAGE / name).read_text()
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {name}"
        masked[f"{name} {old.strip()} {new}".strip()] = name, text.replace(old, new)
    for name, old, number, new in masks_in_source():
        parts = (PACKAGE / name).read_text().split(old)
        before, after = old.join(parts[: number + 1]), old.join(parts[number + 1 :])
        masked[f"{name} {old} {number + 1}"] = name, before + new + after
    return masked


@pytest.fixture(scope="module")
def secrets_without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[tuple[str, str]]]]:
    """Return a function that returns the secrets in the output without a mask, from one process that imports once."""
    home, out = tmp_path_factory.mktemp("copies"), tmp_path_factory.mktemp("secrets_without")
    changes = masks() | {"none": ("__init__.py", (PACKAGE / "__init__.py").read_text())}
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, str(SCRIPT), str(out)], env=environment, **pipes) as process:

        def output_without(name: str) -> list[tuple[str, str]]:
            number, (file, text) = str(list(changes).index(name)), changes[name]
            copy = home / number
            shutil.copytree(PACKAGE, copy / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
            (copy / PACKAGE.name / file).write_text(text)
            process.stdin.write(f"{copy}\n")
            process.stdin.flush()
            while process.stdout.readline() not in (f"{number}\n", ""):
                pass  # output of Airflow while it is imported
            value = json.loads((out / f"{number}.json").read_text())
            return hidden_in({str(number): text for number, text in enumerate(value["texts"])}, value["secrets"])

        yield output_without


@pytest.mark.tree
def test_no_output_has_a_secret(secrets_without: Callable[[str], list[tuple[str, str]]]) -> None:
    """Values, errors, log lines and rendered fields of the package have no secret."""
    assert secrets_without("none") == []


@pytest.mark.tree
@pytest.mark.parametrize("name", masks())
def test_each_mask_is_needed(secrets_without: Callable[[str], list[tuple[str, str]]], name: str) -> None:
    """With any one mask removed, some output has a secret."""
    assert secrets_without(name)
