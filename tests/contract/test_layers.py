# SPDX-License-Identifier: Apache-2.0
"""Layers: no module above the hooks depends on one API, and each API's status words are in one file."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_cpp
from airflow_provider_cpp.apis.cloud_partner_portal import status as cpp_status
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.product_ingestion import status as product_ingestion_status
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
NAMES = frozenset({*CONNECTIONS, "CLOUD_PARTNER_PORTAL", "PRODUCT_INGESTION", "OPERATION_FORMATS", "conn_type"})
"""Names that a branch on the API would use."""


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def compared(tree: ast.AST) -> Iterator[str]:
    """Yield every name and string in a condition, and every class in an ``isinstance``."""
    for node in ast.walk(tree):
        tests = [node.test] if isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)) else []
        tests += [node] if isinstance(node, (ast.Compare, ast.BoolOp)) else []
        tests += [node.subject, *(case.pattern for case in node.cases)] if isinstance(node, ast.Match) else []
        is_isinstance = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        tests += list(node.args) if is_isinstance else []
        for test in tests:
            for one in ast.walk(test):
                if isinstance(one, ast.Name):
                    yield one.id
                elif isinstance(one, ast.Attribute):
                    yield one.attr
                elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield one.value


def branches_on_api(source: str) -> list[str]:
    """Return what in a source depends on one API: imports and conditions."""
    tree = ast.parse(source)
    imports = [name for name in imported(tree) if any(name == one or name.startswith(f"{one}.") for one in OF_ONE_API)]
    branches = [name for name in compared(tree) if name in NAMES or name.endswith("Hook") or name == "api"]
    return imports + branches


@pytest.mark.parametrize("path", ABOVE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_task_and_no_trigger_asks_which_api_it_is(path: Path) -> None:
    """No module above the hooks imports a module of one API or branches on the API."""
    assert branches_on_api(path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "from airflow_provider_cpp.apis.cloud_partner_portal import endpoints",
        "from airflow_provider_cpp.apis.product_ingestion.api import PRODUCT_INGESTION_API",
        "import airflow_provider_cpp.hooks.product_ingestion",
        "if hook.api.name == 'x':\n    pass",
        "if kind == 'product_ingestion':\n    pass",
        "y = 1 if connection.conn_type else 2",
        "isinstance(hook, ProductIngestionHook)",
        "match hook.conn_type:\n    case 'x':\n        pass",
    ],
)
def test_each_branch_on_the_api_is_detected(line: str) -> None:
    """Each way to branch on the API is detected."""
    assert branches_on_api(line)


def strings_in(tree: ast.AST) -> Iterator[str]:
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value.casefold()


@pytest.mark.parametrize(
    ("api_name", "words"),
    [
        ("cloud_partner_portal", [word for words in cpp_status.SPELLINGS.values() for word in words]),
        (
            "product_ingestion",
            [
                *(
                    word
                    for table in (product_ingestion_status.PROGRESS, product_ingestion_status.RESULTS)
                    for words in table.values()
                    for word in words
                ),
                product_ingestion_status.COMPLETE,
            ],
        ),
    ],
)
def test_the_status_words_of_an_api_are_in_one_file(api_name: str, words: list[str]) -> None:
    """A status word of an API is in the status file of its folder and in no other file of the package."""
    expected = {word.casefold() for word in words} - {result.value for result in WaitResult}
    common = {status.value.casefold() for status in Status}
    own = set(strings_in(ast.parse((PACKAGE / "apis" / api_name / "status.py").read_text())))
    assert expected <= own
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if path.name == "status.py":
            continue
        assert (
            set(strings_in(ast.parse(path.read_text()))) & (expected | common - {one.value for one in WaitResult})
            == set()
        ), name


def test_status_words_are_parsed_in_one_place_per_api() -> None:
    """Only an API's own status file converts a word to a common status."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        text = path.read_text()
        if name not in ("apis/cloud_partner_portal/status.py", "apis/product_ingestion/status.py"):
            assert "Status(" not in text.replace("Status(str, Enum)", ""), name


@pytest.mark.parametrize("api", [CLOUD_PARTNER_PORTAL_API, PRODUCT_INGESTION_API], ids=lambda api: api.name)
def test_each_api_implements_the_protocol(api: MarketplaceAPI) -> None:
    """Both APIs have the methods of the protocol, with the same arguments."""
    expected = {
        name: value for name, value in vars(MarketplaceAPI).items() if not name.startswith("_") and callable(value)
    }
    assert {"publish", "go_live", "cancel", "update", "add_image", "poll"} <= set(expected)
    for name, one in expected.items():
        arguments = [argument for argument in inspect.signature(one).parameters if argument != "self"]
        assert list(inspect.signature(getattr(api, name)).parameters)[: len(arguments)] == arguments
    assert CONNECTIONS[api.name]["connection-type"] == api.name
    assert api.endpoint.scope.startswith("https://")
