# SPDX-License-Identifier: Apache-2.0
"""The rooms: who asks which API it is, which nobody does above the hooks, and where an API's words stand."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_cpp
from airflow_provider_cpp.apis.cloud_partner_portal import status as portal
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.product_ingestion import status as ingestion
from airflow_provider_cpp.apis.product_ingestion.api import PRODUCT_INGESTION_API
from airflow_provider_cpp.core.api import MarketplaceAPI
from airflow_provider_cpp.core.outcome import WaitResult
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.get_provider_info import CONNECTIONS

PACKAGE = Path(airflow_provider_cpp.__file__).parent
ABOVE = [
    path for layer in ("operators", "sensors", "tasks", "triggers") for path in sorted((PACKAGE / layer).glob("*.py"))
]
OF_ONE_API = (
    "airflow_provider_cpp.apis.cloud_partner_portal",
    "airflow_provider_cpp.apis.product_ingestion",
    "airflow_provider_cpp.hooks.cloud_partner_portal",
    "airflow_provider_cpp.hooks.product_ingestion",
)
NAMES = frozenset({*CONNECTIONS, "PORTAL", "INGESTION", "API", "APIS", "conn_type", "needs_publisher"})
"""What somebody would have to name who asks which API it is."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def compared(tree: ast.AST) -> Iterator[str]:
    """Yield every name and text that stands in a condition, and every class that something is asked to be of."""
    for node in ast.walk(tree):
        tests = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)) else []
        tests += [node] if isinstance(node, (ast.Compare, ast.BoolOp)) else []
        tests += [node.subject, *(case.pattern for case in node.cases)] if isinstance(node, ast.Match) else []
        is_asking = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        tests += list(node.args) if is_asking else []
        for test in tests:
            for one in ast.walk(test):
                if isinstance(one, ast.Name):
                    yield one.id
                elif isinstance(one, ast.Attribute):
                    yield one.attr
                elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value


def asks_which(source: str) -> list[str]:
    """Say by what a source asks which API it is, or knows one."""
    tree = ast.parse(source)
    known = [name for name in imported(tree) if any(name == one or name.startswith(f"{one}.") for one in OF_ONE_API)]
    asked = [name for name in compared(tree) if name in NAMES or name.endswith("Hook") or name == "api"]
    return known + asked


@pytest.mark.parametrize("path", ABOVE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_task_and_no_trigger_asks_which_api_it_is(path: Path) -> None:
    """Nothing above the hooks imports a module of one API, or branches on which one it is."""
    assert asks_which(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from airflow_provider_cpp.apis.cloud_partner_portal import calls",
        "from airflow_provider_cpp.apis.product_ingestion.api import INGESTION_API",
        "import airflow_provider_cpp.hooks.product_ingestion",
        "if hook.api.name == 'x':\n    pass",
        "if kind == 'product_ingestion':\n    pass",
        "y = 1 if connection.conn_type else 2",
        "isinstance(hook, ProductIngestionHook)",
        "match hook.conn_type:\n    case 'x':\n        pass",
    ],
)
def test_who_asked_would_be_seen(line: str) -> None:
    """Each way of asking is found."""
    assert asks_which(line)


def words_of(tree: ast.AST) -> Iterator[str]:
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value.casefold()


@pytest.mark.parametrize(
    ("room", "words"),
    [
        ("cloud_partner_portal", [word for words in portal.SPELLINGS.values() for word in words]),
        (
            "product_ingestion",
            [
                *(
                    word
                    for table in (ingestion.PROGRESS, ingestion.RESULTS)
                    for words in table.values()
                    for word in words
                ),
                ingestion.COMPLETE,
                ingestion.NO_RESULT,
            ],
        ),
    ],
)
def test_an_apis_words_stand_in_one_file_of_its_folder(room: str, words: list[str]) -> None:
    """A status word of an API stands in the status file of its own folder, and in no other file of the client."""
    wanted = {word.casefold() for word in words} - {result.value for result in WaitResult}
    common = {status.value.casefold() for status in Status}
    own = set(words_of(ast.parse((PACKAGE / "apis" / room / "status.py").read_text())))
    assert wanted <= own
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.name == "status.py":
            continue
        assert (
            set(words_of(ast.parse(path.read_text()))) & (wanted | common - {one.value for one in WaitResult}) == set()
        ), name


def test_the_words_are_mapped_in_one_place_each() -> None:
    """No file but an API's own status file makes a common status of a word."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        text = path.read_text()
        if name not in ("apis/cloud_partner_portal/status.py", "apis/product_ingestion/status.py"):
            assert "Status(" not in text.replace("Status(str, Enum)", ""), name


@pytest.mark.parametrize("api", [CLOUD_PARTNER_PORTAL_API, PRODUCT_INGESTION_API], ids=lambda api: api.name)
def test_each_api_has_all_that_an_api_has_to_offer(api: MarketplaceAPI) -> None:
    """Both have what tasks and triggers ask for, by the same names and with the same arguments."""
    wanted = {
        name: value for name, value in vars(MarketplaceAPI).items() if not name.startswith("_") and callable(value)
    }
    assert {"publish", "go_live", "cancel", "update", "add_image", "poll"} <= set(wanted)
    for name, one in wanted.items():
        assert list(inspect.signature(getattr(type(api), name)).parameters) == list(inspect.signature(one).parameters)
    assert CONNECTIONS[api.name]["connection-type"] == api.name
    assert api.endpoint.scope.startswith("https://")
