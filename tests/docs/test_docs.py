# SPDX-License-Identifier: Apache-2.0
"""Docs that cannot drift: statuses, errors, parameters and fields are compared with the code, snippets are run."""

from __future__ import annotations

import ast
import inspect
import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_cpp
from airflow_provider_cpp.operators.offer import PublishOfferOperator
from airflow_provider_cpp.portal import errors
from airflow_provider_cpp.portal.status import SPELLINGS, Status
from airflow_provider_cpp.provider_info import CONNECTION_FIELDS
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
from airflow_provider_cpp.transport.credentials import KINDS
from airflow_provider_cpp.transport.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = Path(airflow_provider_cpp.__file__).parent


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table that has this heading."""
    lines = iter((DOCS / page).read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {heading} |"):
            next(lines)
            break
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def test_every_status_is_documented_with_its_spellings() -> None:
    """The page of statuses has a row for each, with exactly the spellings that the code knows."""
    table = {row[0]: re.findall(r"`([^`]+)`", row[1]) for row in rows("statuses.md", "status")}
    by_words = {tuple(words): name for name, words in table.items() if words}
    assert set(by_words) == set(SPELLINGS.values())
    assert len(table) == len(Status)


@pytest.mark.parametrize(("column", "until"), [(3, "preview"), (4, "live")])
def test_what_the_page_says_of_a_status_is_what_happens(column: int, until: str) -> None:
    """For each row, waiting, success and failure are as the rules decide them."""
    from airflow_provider_cpp.portal.models import Report
    from airflow_provider_cpp.portal.verdict import judge_offer

    for row in rows("statuses.md", "status"):
        for word in re.findall(r"`([^`]+)`", row[1]) or ["frobnicating"]:
            result = judge_offer(Report.from_json({"status": word}), until)
            said = row[column].strip("* ").split(",")[0]
            happens = {None: "waits", "reached": "succeeds"}.get(result.value if result else None, "fails")
            assert (word, said) == (word, happens)


def error_classes() -> dict[str, type[errors.PortalError]]:
    members = vars(errors).values()
    return {one.__name__: one for one in members if inspect.isclass(one) and issubclass(one, errors.PortalError)}


def test_every_error_is_documented() -> None:
    """The page of errors has a row for each class, and says of each whether it uses a retry."""
    table = {row[0].strip("`"): row[2].split(",")[0] for row in rows("errors.md", "class")}
    assert table == {name: "yes" if one.retryable else "no" for name, one in error_classes().items()}


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    """The drawing in the module's docstring has each class below its parent."""
    lines = re.findall(r"^ {4}([│ ├└─]*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    drawn = [(len(indent) // 4, name) for indent, name in lines]
    parents: dict[str, str] = {}
    path: list[str] = []
    for depth, name in drawn:
        path = [*path[:depth], name]
        parents[name] = path[-2] if depth else "Exception"
    assert parents == {name: one.__bases__[0].__name__ for name, one in error_classes().items()}


@pytest.mark.parametrize(("number", "kind"), [(0, PublishOfferOperator), (1, OfferStatusSensor)])
def test_every_argument_is_documented_with_its_default(number: int, kind: Any) -> None:
    """The tables of arguments are the signatures: every name, every default, and no other."""
    text = (DOCS / "operators.md").read_text().split("| argument |")[number + 1]
    table = dict(re.findall(r"^\| `(\w+)` \| ?(.*?) ?\|", text.split("\n\n")[0], re.MULTILINE))
    parameters = inspect.signature(kind.__init__).parameters.values()
    expected = {}
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY:
            expected[one.name] = "" if one.default is one.empty else one.default
    environment = {"timedelta": timedelta}
    shown = {name: eval(cell.strip("`"), environment) if cell else "" for name, cell in table.items()}  # noqa: S307 - our own page
    assert shown == expected


def test_every_templated_argument_is_said_to_be() -> None:
    """What is templated is documented as such."""
    text = (DOCS / "operators.md").read_text()
    for kind in (PublishOfferOperator, OfferStatusSensor):
        section = text.split(f"## {kind.__name__}")[1].split("\n## ")[0]
        templated = re.findall(r"^\| `(\w+)` .*templated \|$", section, re.MULTILINE)
        assert set(templated) == set(kind.template_fields)


def test_every_field_of_the_connection_is_documented() -> None:
    """The page of the connection names every field of the form, and every field that the settings read."""
    named = {re.findall(r"`(\w+)`", row[0])[0] for row in rows("connection.md", "field")}
    source = "".join((PACKAGE / f"transport/{name}.py").read_text() for name in ("settings", "credentials"))
    read = set(re.findall(r'form\.(?:text|seconds|flag|file)\("(\w+)"', source)) | {"verify", "proxies"}
    assert named == read | {"login", "password", "host"}
    assert set(CONNECTION_FIELDS) <= named


@pytest.mark.parametrize("kind", KINDS)
def test_the_connections_on_the_page_of_a_way_to_sign_in_work(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way has a page, and each connection on it is read as that way once its files are there."""
    file = tmp_path / "file"
    file.touch()
    for name, value in (("CLIENT_ID", "app"), ("TENANT_ID", "tenant"), ("FEDERATED_TOKEN_FILE", str(file))):
        monkeypatch.setenv(f"AZURE_{name}", value)
    text = (DOCS / f"authentication/{kind.replace('_', '-')}.md").read_text()
    connections = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    assert connections
    for connection in connections:
        filled = json.loads(re.sub(r'"/[^"]+"', json.dumps(str(file)), re.sub(r"<[^>]*>", "x", json.dumps(connection))))
        settings = Settings.from_fields(
            host=None, login=filled.get("login"), password=filled.get("password"), extra=filled["extra"]
        )
        assert (settings.credentials.kind, settings.publisher_id) == (kind, "contoso")


def test_the_fields_of_an_operation_are_documented() -> None:
    """The table of what the operator returns is what it returns."""
    from airflow_provider_cpp.portal.models import OfferRef
    from airflow_provider_cpp.portal.operations import Operation

    text = (DOCS / "operators.md").read_text().split("| field |")[1].split("\n\n")[0]
    named = [
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]
    operation = Operation(OfferRef("p", "o"), "publish", datetime.now(timezone.utc), "1")
    assert named == list(operation.to_json())


def test_the_readme_s_dag_is_one(airflow_home: Path) -> None:
    """The ten lines of the README make a DAG with a publish and a wait for its preview."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code
    scope: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code.group(1), "README.md", "exec"), scope)  # noqa: S102 - it is our own text
    dag = scope["release"]()
    assert (sorted(dag.task_ids), dag.get_task("preview").upstream_task_ids) == (["preview", "publish"], {"publish"})


def test_the_first_screen_comes_first() -> None:
    """The README's first screen is a sentence, the install line, a short DAG and the offline command."""
    first = (ROOT / "README.md").read_text().split("<!-- end of the first screen -->")[0]
    assert len(first.splitlines()) <= 40
    assert all(part in first for part in ("pip install airflow-provider-cpp", "@dag", "make demo"))


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def test_every_test_says_in_one_sentence_what_it_holds() -> None:
    """Each test function has a docstring of one line that ends as a sentence does."""
    missing = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for function in functions(ast.parse(path.read_text())):
            text = ast.get_docstring(function) or ""
            if function.name.startswith("test_") and not (text.endswith(".") and "\n" not in text):
                missing.append(f"{path.name}: {function.name}")
    assert missing == []


def test_no_suppression_without_a_reason() -> None:
    """Every `noqa`, `type: ignore` and the like names what it suppresses and says why, but for tests' own rules."""
    bare = []
    for path in sorted(
        [*PACKAGE.rglob("*.py"), *(ROOT / "scripts").glob("*.py"), *(ROOT / "example_dags").glob("*.py")]
    ):
        for line in path.read_text().splitlines():
            found = re.search(r"# (?:noqa|type: ignore)(.*)$", line)
            if found and not re.match(r"(?:: [A-Z0-9, ]+ - |\[[a-z-]+\]  # )\w+", found.group(1)):
                bare.append(f"{path.name}: {line.strip()}")
    assert bare == []


def test_files_are_short() -> None:
    """No file of the package is longer than 300 lines, and no function longer than 60."""
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        if len(text.splitlines()) > 300:
            long.append(path.name)
        for function in functions(ast.parse(text)):
            length = (function.end_lineno or 0) - function.lineno
            if length > 60:
                long.append(f"{path.name}: {function.name}")
    assert long == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("[!_]*.md")), ids=lambda path: path.stem)
def test_every_python_snippet_of_the_docs_is_python(page: Path) -> None:
    """Every Python snippet compiles."""
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(code, page.name, "exec")
