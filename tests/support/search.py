# SPDX-License-Identifier: Apache-2.0
"""Search Airflow's logs and database for secrets, in every notation in which one may be written."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from support.versions import LOGS_RENDERED_FIELDS

WRITTEN_BY_THE_AUTHOR = {"dag_code", "serialized_dag"}
"""Tables with the DAG file itself."""

LOUD = {
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "urllib3=DEBUG msal=DEBUG aiohttp=DEBUG asyncio=DEBUG requests=DEBUG",
}
"""Settings that make Airflow and its libraries log as much as possible."""


def forms_of(secret: str) -> dict[str, str]:
    """Return the notations of a secret by name."""
    forms = {"as it is": secret, "decoded": unquote(secret)}
    for name, plain in tuple(forms.items()):
        once = quote(plain, safe="")
        forms |= {
            f"{name}, percent": once,
            f"{name}, percent, small": "".join(_small(once)),
            f"{name}, percent, slash kept": quote(plain),
            f"{name}, form": quote_plus(plain),
            f"{name}, percent twice": quote(once, safe=""),
            f"{name}, JSON": json.dumps(plain)[1:-1],
            f"{name}, JSON twice": json.dumps(json.dumps(plain)[1:-1])[1:-1],
            f"{name}, JSON, slash escaped": plain.replace("/", "\\/"),
            f"{name}, JSON in HTML": "".join(f"\\u{ord(one):04x}" if one in "<>&'+/=" else one for one in plain),
        }
        for shift in range(3):  # the offset in base64's groups of three bytes
            forms |= dict(_base64(f"{name}, base64 at {shift}", plain, shift))
    return {name: form for name, form in forms.items() if form}


def _small(text: str) -> Iterator[str]:
    for index, part in enumerate(text.split("%")):
        yield part if index == 0 else f"%{part[:2].lower()}{part[2:]}"


def _base64(name: str, plain: str, shift: int) -> Iterator[tuple[str, str]]:
    content = b"\0" * shift + plain.encode()
    whole = slice(-(-shift * 4 // 3), len(content) // 3 * 4)  # groups with nothing but the secret
    for kind, encode in (("", base64.b64encode), (", for URLs", base64.urlsafe_b64encode)):
        yield name + kind, encode(content).decode()[whole]


def parts_of_token(token: str) -> list[str]:
    """Return a token and those of its parts that identify it."""
    return [token, *token.split(".")[1:]]


def hidden_in(texts: Mapping[str, str], secrets: Iterable[str]) -> list[tuple[str, str]]:
    """Return where a secret is and in which notation, but never the secret itself.

    :param texts: the texts by name.
    """
    forms: dict[str, str] = {}
    for secret in secrets:
        assert len(secret) >= 8, "too short to search for"
        forms |= {form: f"{secret[:3]}...: {name}" for name, form in reversed(forms_of(secret).items())}
    return [(where, name) for where, text in texts.items() for form, name in forms.items() if form in text]


def texts_of(home: Path) -> dict[str, str]:
    """Return every log file and every row of Airflow's database."""
    logs = [path for path in (home / "logs").rglob("*") if path.is_file()]
    texts = {str(path.relative_to(home)): path.read_text(errors="replace") for path in logs}
    database = sqlite3.connect(f"file:{home / 'airflow.db'}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in sorted(set(tables) - WRITTEN_BY_THE_AUTHOR):
            for number, row in enumerate(database.execute(f'select * from "{table}"')):  # noqa: S608 - names from the database
                texts[f"{table} {number}"] = "\n".join(map(_text, row))
    finally:
        database.close()
    return texts


def without_airflows_own(output: str) -> str:
    """Remove Airflow's own lines: ``dags test`` logs at DEBUG its internal messages with the values to mask.

    A deployment's supervisor does not, and a provider cannot change it.
    """
    contents = ["msg=MaskSecret(", *(["msg=SetRenderedFields("] if LOGS_RENDERED_FIELDS else ())]
    prefixes = ("Sending request", "Received message from task runner")
    lines = output.splitlines()
    kept = [
        line for line in lines if not (any(one in line for one in prefixes) and any(one in line for one in contents))
    ]
    return "\n".join(kept)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
