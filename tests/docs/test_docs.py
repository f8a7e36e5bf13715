# SPDX-License-Identifier: Apache-2.0
"""The documentation matches the code: statuses, errors, arguments and fields are compared, snippets are run."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
import runpy
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from partner_center_emulator import Emulator
from support import product_ingestion

import airflow_provider_cpp
from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import status as cpp_status
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_status_report
from airflow_provider_cpp.core import effects
from airflow_provider_cpp.core.status import Status
from airflow_provider_cpp.get_provider_info import CONNECTION_FIELDS
from airflow_provider_cpp.hooks.cloud_partner_portal import CloudPartnerPortalHook
from airflow_provider_cpp.hooks.connection_test import ENTRA_ERRORS
from airflow_provider_cpp.operators import draft, offer
from airflow_provider_cpp.operators.base import OfferOperator
from airflow_provider_cpp.operators.draft import AddImageVersionOperator, UpdateOfferOperator
from airflow_provider_cpp.operators.offer import CancelOfferOperator, GoLiveOfferOperator, PublishOfferOperator
from airflow_provider_cpp.sensors.offer_status import OfferStatusSensor
from airflow_provider_cpp.transport.credentials import AUTH_TYPES
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
    table = []
    for line in lines:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return table


def test_every_status_is_documented_with_its_spellings() -> None:
    """The page on statuses has a row for each status with exactly the spellings in the code."""
    for column, spellings in ((1, cpp_status.SPELLINGS), (2, product_ingestion.SPELLINGS)):
        table = {row[0]: re.findall(r"`([^`]+)`", row[column]) for row in rows("statuses.md", "status")}
        by_words = {tuple(words): name for name, words in table.items() if words}
        assert set(by_words) == set(spellings.values())
        assert len(table) == len(Status)


@pytest.mark.parametrize(("column", "until"), [(4, "preview"), (5, "live")])
def test_the_documented_effect_of_each_status(column: int, until: str) -> None:
    """Each row's effect on a wait, success and failure is what the code decides."""
    from airflow_provider_cpp.core.offer_state import evaluate_offer

    for row in rows("statuses.md", "status"):
        for word in re.findall(r"`([^`]+)`", row[1]) or ["frobnicating"]:
            result = evaluate_offer(parse_status_report({"status": word}), until)
            documented = row[column].strip("* ").split(",")[0]
            actual = {None: "waits", "reached": "succeeds"}.get(result.value if result else None, "fails")
            assert documented == actual, word


def error_classes() -> dict[str, type[exceptions.MarketplaceError]]:
    members = vars(exceptions).values()
    return {
        one.__name__: one for one in members if inspect.isclass(one) and issubclass(one, exceptions.MarketplaceError)
    }


def error_table() -> list[list[str]]:
    """Return the rows of the table of errors, as Sphinx generates it."""
    extension = runpy.run_path(str(DOCS / "_extensions/error_table.py"))
    lines = (DOCS / "errors.md").read_text().split("```{error-table}\n")[1].split("```")[0].splitlines()
    return [list(row) for row in extension["rows"](extension["read_advice"](lines))]


@pytest.mark.tree
def test_every_error_is_documented() -> None:
    """The table of errors has a row for each class, with whether it is retryable and what to do."""
    table = {name.strip("`"): (retry.split(" ")[0], bool(advice)) for name, _, _, retry, advice in error_table()}
    decided = {"AuthenticationError", "CancelFailedError", "SubmitOutcomeUnknownError"}
    expected = {
        name: ("if" if name in decided else "yes" if one.retryable else "no", True)
        for name, one in error_classes().items()
    }
    assert table == expected


@pytest.mark.tree
def test_the_documented_http_statuses_of_errors() -> None:
    """The table shows which HTTP status raises which error."""
    table = {name.strip("`"): status for name, status, *_ in error_table() if status}
    assert table == {
        "InvalidResponseError": "1xx, 3xx, 408, 421, 425, 499",
        "UnauthorizedError": "401",
        "PermissionDeniedError": "403",
        "NotFoundError": "404",
        "ConflictError": "409",
        "PreconditionFailedError": "412",
        "LockedError": "423",
        "BadRequestError": "other 4xx",
        "RateLimitError": "429",
        "ServerError": "5xx",
    }


def test_the_table_of_faults_has_every_case() -> None:
    """Each fault that is tested has its row in the documentation, with its expected result."""
    cases = runpy.run_path(str(ROOT / "tests/crash/cases.py"))["CASES"]
    assert rows("failures_and_retries.md", "fault") == [
        [case.description, str(case.submitted), str(case.accepted), case.ending, case.log_text] for case in cases
    ]


@pytest.mark.tree
def test_wrong_advice_for_errors_fails_the_build() -> None:
    """Missing advice, superfluous advice and advice for no class fail the build by name."""
    extension = runpy.run_path(str(DOCS / "_extensions/error_table.py"))
    advice = {name: "Check." for name, one in error_classes().items() if not getattr(one, "hint", "")}
    assert len(list(extension["rows"](advice))) == len(error_classes())
    del advice["ConflictError"]
    with pytest.raises(
        ValueError, match="ConflictError needs advice; PermissionDeniedError has a hint of its own; there is no Typo"
    ):
        list(extension["rows"](advice | {"PermissionDeniedError": "Check.", "Typo": "Check."}))


def test_the_tree_of_errors_is_drawn_correctly() -> None:
    """The drawing in the module's docstring has each class below its parent."""
    lines = re.findall(r"^ {4}([│ ├└─]*)([A-Z]\w+)", exceptions.__doc__ or "", re.MULTILINE)
    drawn = [(len(indent) // 4, name) for indent, name in lines]
    parents: dict[str, str] = {}
    path: list[str] = []
    for depth, name in drawn:
        path = [*path[:depth], name]
        parents[name] = path[-2] if depth else "Exception"
    assert parents == {name: one.__bases__[0].__name__ for name, one in error_classes().items()}


PAGES: dict[str, Any] = {
    "add_image_version": AddImageVersionOperator,
    "update": UpdateOfferOperator,
    "publish": PublishOfferOperator,
    "sensor": OfferStatusSensor,
    "go_live": GoLiveOfferOperator,
    "cancel": CancelOfferOperator,
}


def test_every_operator_has_a_page() -> None:
    """There is one page for each operator and the sensor, with its name as heading, and no other."""
    headings = {path.stem: path.read_text().splitlines()[0] for path in (DOCS / "operators").glob("*.md")}
    assert headings.pop("index")
    assert headings == {page: f"# {kind.__name__}" for page, kind in PAGES.items()}

    offered = {
        name
        for module in (draft, offer)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and kind.__module__ == module.__name__ and issubclass(kind, OfferOperator)
    }
    assert {kind.__name__ for kind in PAGES.values()} == {*offered, "OfferStatusSensor"}


@pytest.mark.parametrize("page", PAGES)
def test_every_argument_is_documented_with_its_default(page: str) -> None:
    """The tables of arguments have exactly the arguments and defaults of the signatures."""
    expected: dict[str, Any] = {}
    for ours in reversed([one for one in PAGES[page].__mro__ if one.__module__.startswith("airflow_provider_cpp")]):
        for one in inspect.signature(ours.__init__).parameters.values():
            if one.kind is one.KEYWORD_ONLY:
                expected[one.name] = "required" if one.default is one.empty else one.default
    environment = {"timedelta": timedelta, "required": "required"}
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(f"operators/{page}.md", "argument")}
    shown = {name: eval(cell, environment) for name, cell in table.items()}  # noqa: S307 - our own page
    assert shown == expected


@pytest.mark.parametrize("page", PAGES)
def test_every_templated_argument_is_documented_as_templated(page: str) -> None:
    """Exactly the templated arguments are documented as such."""
    documented = {row[0].strip("`"): row[2] for row in rows(f"operators/{page}.md", "argument")}
    assert set(documented.values()) <= {"yes", "no"}
    assert {name for name, word in documented.items() if word == "yes"} == set(PAGES[page].template_fields)


def test_every_method_of_the_hook_is_documented() -> None:
    """The page on the hook has each public method."""
    named = {name for row in rows("hook.md", "method") for cell in row for name in re.findall(r"`(\w+)`", cell)}
    own = {name for name, one in vars(CloudPartnerPortalHook).items() if inspect.isfunction(one) and name[0] != "_"}
    assert own <= named


def test_every_field_of_the_connection_is_documented() -> None:
    """The page on the connection has every field of the form and every field that the settings read."""
    named = {re.findall(r"`(\w+)`", row[0])[0] for row in rows("connection.md", "field")}
    source = "".join((PACKAGE / f"transport/{name}.py").read_text() for name in ("settings", "credentials"))
    read = set(re.findall(r'fields\.(?:text|seconds|flag|file)\("(\w+)"', source)) | {"verify", "proxies"}
    assert named == read | {"login", "password", "host", "port"}
    assert set(CONNECTION_FIELDS) <= named


def test_the_advice_of_the_test_button_is_documented() -> None:
    """The table of Entra ID errors has each number that the Test button knows, with the same text."""
    plain = [re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " | ".join(row)) for row in rows("connection.md", "what you see")]
    table = [row.split(" | ") for row in plain if row.startswith("`AADSTS")]
    assert {row[0].strip("`").removeprefix("AADSTS"): tuple(row[1:]) for row in table} == ENTRA_ERRORS


@pytest.mark.parametrize("kind", AUTH_TYPES)
def test_the_connections_on_the_page_of_each_authentication_method(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each authentication method has a page, and each connection on it is valid once its files exist."""
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
            CLOUD_PARTNER_PORTAL_API.endpoint,
            host=None,
            login=filled.get("login"),
            password=filled.get("password"),
            extra=filled["extra"],
        )
        assert settings.credentials.auth_type == kind
        assert settings.publisher_id == "contoso"


def test_the_fields_of_an_operation_are_documented() -> None:
    """The table of an operation's fields has the fields that the operator returns."""
    from airflow_provider_cpp.core.models import OfferRef
    from airflow_provider_cpp.core.operations import Operation

    named = [name for row in rows("operators/publish.md", "field") for name in re.findall(r"`(\w+)`", row[0])]
    operation = Operation(OfferRef("p", "o"), "publish", datetime.now(timezone.utc), "1")
    assert named == list(operation.to_json())


def test_the_numbers_on_failures_and_retries_match_the_code() -> None:
    """Each duration and count on the page on failures and retries is the one in the code."""
    from airflow_provider_cpp.apis.cloud_partner_portal import update
    from airflow_provider_cpp.core import checkpoint, operations
    from airflow_provider_cpp.tasks import runtime

    words = {4: "four", 5: "five"}
    text = (DOCS / "failures_and_retries.md").read_text()
    for documented in (
        f"waits for {operations.VISIBILITY_DELAY / timedelta(minutes=1):g} minutes after it was submitted",
        f"The checkpoint lasts {runtime.CHECKPOINT_RETENTION.days} days",
        f"differ by up to {words[checkpoint.CLOCK_MARGIN // timedelta(minutes=1)]} minutes",
        f"reads are sent up to {words[effects.MAX_TRIES]} times",
        f"{words[update.MAX_TRIES]} times in all",
    ):
        assert documented in text
    assert "an hour after its `timeout`" in text
    assert timedelta(hours=1) == runtime.TRIGGER_TIMEOUT_MARGIN


def test_the_numbers_on_polling_intervals_match_the_code() -> None:
    """Each number on the page on polling intervals is the one in the code."""
    from airflow_provider_cpp.core import poll_schedule
    from airflow_provider_cpp.defaults import DEFAULT_CANCEL_POLL_INTERVAL

    words = {1 / 10: "a tenth", 3: "three"}
    text = (DOCS / "polling_intervals.md").read_text()
    for documented in (
        f"**{words[poll_schedule.AGE_FRACTION]}** of the time",
        f"{poll_schedule.MIN_DELAY:g} seconds at least and after {poll_schedule.MAX_DELAY:g} seconds at most",
        f"up to {words[poll_schedule.JITTER]} longer**",
        f"a delay of {poll_schedule.MIN_BACKOFF / 60:g} minutes at least",
        f"up to {poll_schedule.MAX_BACKOFF / 60:g} minutes",
        f"fewer than {words[poll_schedule.MIN_POLLS_WITHIN_TOLERANCE]} would fit",
        f"waits older than {poll_schedule.RESUMED_AFTER:g} seconds are spread over {poll_schedule.RESUMED_WITHIN:g} seconds",
        f"every {DEFAULT_CANCEL_POLL_INTERVAL:g} seconds",
    ):
        assert documented in text


def test_what_a_change_of_the_draft_returns_is_documented(serve: Callable[..., Emulator]) -> None:
    """The table of what the draft's operators return matches what they return."""
    serve().add_offer("contoso-vm")
    context = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}
    value = UpdateOfferOperator(task_id="update", offer_id="contoso-vm", patch={}).execute(context)
    assert list(value) == [
        name for row in rows("operators/update.md", "returned") for name in re.findall(r"`(\w+)`", row[0])
    ]


def test_the_dag_in_the_readme_is_valid(airflow_home: Path) -> None:
    """The DAG in the README has a publish and a wait for its preview."""
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code
    scope: dict[str, Any] = {"__name__": "readme"}
    exec(compile(code.group(1), "README.md", "exec"), scope)  # noqa: S102 - it is our own text
    dag = scope["release"]()
    assert sorted(dag.task_ids) == ["preview", "publish"]
    assert dag.get_task("preview").upstream_task_ids == {"publish"}


def test_the_first_screen_of_the_readme() -> None:
    """The README starts with a sentence, the install line, a short DAG and the offline command."""
    first = (ROOT / "README.md").read_text().split("<!-- end of the first screen -->")[0]
    assert len(first.splitlines()) <= 40
    assert all(part in first for part in ("pip install .", "@dag", "make demo"))


def test_the_links_in_the_readme_exist() -> None:
    """Every file that the README links to exists."""
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert linked
    assert [path for path in linked if not (ROOT / path).exists()] == []


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def test_every_test_has_one_sentence_as_docstring() -> None:
    """Each test function has a docstring of one line that ends with a period."""
    missing = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for function in functions(ast.parse(path.read_text())):
            text = ast.get_docstring(function) or ""
            if function.name.startswith("test_") and not (text.endswith(".") and "\n" not in text):
                missing.append(f"{path.name}: {function.name}")
    assert missing == []


def test_no_suppression_without_a_reason() -> None:
    """Every `noqa` and `type: ignore` outside the tests names its rule and gives a reason."""
    unexplained = []
    for path in sorted(
        [*PACKAGE.rglob("*.py"), *(ROOT / "scripts").glob("*.py"), *(ROOT / "example_dags").glob("*.py")]
    ):
        for line in path.read_text().splitlines():
            suppression = re.search(r"# (?:noqa|type: ignore)(.*)$", line)
            if suppression and not re.match(r"(?:: [A-Z0-9, ]+ - |\[[a-z-]+\]  # )\w+", suppression.group(1)):
                unexplained.append(f"{path.name}: {line.strip()}")
    assert unexplained == []


def test_files_are_short() -> None:
    """No file of the package has more than 300 lines, except the tree of errors, and no function more than 60."""
    long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        if len(text.splitlines()) > 300 and path.name != "exceptions.py":
            long.append(path.name)
        for function in functions(ast.parse(text)):
            length = (function.end_lineno or 0) - function.lineno
            if length > 60:
                long.append(f"{path.name}: {function.name}")
    assert long == []


def test_every_screenshot_is_on_a_page_and_taken_by_a_test() -> None:
    """Each picture is on a page with alternative text, and each screenshot is taken by a test."""
    folder = DOCS / "_static/screenshots"
    diagrams = set((DOCS / "_static/diagrams").iterdir())
    shown = {}
    for page in DOCS.rglob("*.md"):
        for text, path in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text()):
            shown[(page.parent / path).resolve()] = text
    taken = {
        folder / f"{name}.png"
        for path in (ROOT / "tests/web").glob("test_*.py")
        for name in re.findall(r'screenshot\(\s*"([\w-]+)"', path.read_text())
    }
    assert set(shown) - diagrams == taken == set(folder.iterdir())
    assert diagrams <= set(shown)
    assert [path.name for path, text in shown.items() if len(text) < 20] == []


def test_screenshots_are_small() -> None:
    """No screenshot is larger than a page can show or than 150 kB."""
    large = []
    for path in (DOCS / "_static/screenshots").glob("*.png"):
        content = path.read_bytes()
        width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
        if width > 1000 or height > 800 or len(content) > 150_000:
            large.append((path.name, width, height, len(content)))
    assert large == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_python_snippet_of_the_docs_compiles(page: Path) -> None:
    """Every Python snippet compiles."""
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(code, page.name, "exec")


@pytest.mark.parametrize(("heading", "with_checkpoints"), [("### Airflow 3.3", True), ("### Airflow 2.11", False)])
def test_the_crash_tables_have_every_point(heading: str, *, with_checkpoints: bool) -> None:
    """Each step at which the crash tests kill a process has its row, and no row has a second submit."""
    place = ROOT / "tests/crash/points.py"
    specification = importlib.util.spec_from_file_location("crash_points", place)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["crash_points"] = module
    specification.loader.exec_module(module)
    section = (DOCS / "failures_and_retries.md").read_text().split(heading)[1].split("\n##")[0]
    table = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    names = {"publish": "publish", "golive": "go-live"}
    assert [row[:2] for row in table] == [
        [names[point.kind], point.description] for point in module.points(with_checkpoints=with_checkpoints)
    ]
    last = {"publish": "2", "go-live": "1"}
    allowed = {"1", "1, stops", "0, stops"}
    for row in table:
        good = row[2:] == ["1", "1", last[row[0]]] if with_checkpoints else set(row[2:]) <= allowed
        assert good, row


def test_the_page_on_versions_has_every_version_that_is_tested() -> None:
    """The table of what a version lacks has exactly the Airflow versions of the matrix."""
    environments = runpy.run_path(str(ROOT / "scripts/matrix.py"))["ENVIRONMENTS"]
    page = (DOCS / "airflow_versions.md").read_text()
    named = re.findall(r"^\| (\d+\.\d+) \|", page, re.MULTILINE)
    assert sorted(named) == sorted(set(environments) - {"lowest"})


def test_the_page_on_versions_has_every_example_for_each() -> None:
    """Each environment of the matrix has its row, and each example is run in it or listed as unsupported."""
    environments = runpy.run_path(str(ROOT / "scripts/matrix.py"))["ENVIRONMENTS"]
    page = (DOCS / "airflow_versions.md").read_text().partition("## Tested combinations")[2]
    rows = re.findall(r"^\| (\d.*?) \| (\d): (.*?) \| (.*?) \|$", page, re.MULTILINE)
    names = ["lowest" if "lowest" in row[0] else ".".join(row[0].split(".")[:2]) for row in rows]
    assert names == [*environments]
    examples = {path.stem for path in (ROOT / "example_dags").glob("*.py")}
    for row in rows:
        beyond = {text.partition(":")[0] for text in row[3].split("; ")} - {"none"}
        run = row[2].split(", ")
        assert ({*run, *beyond}, int(row[1])) == (examples, len(run)), row


def test_folders_that_most_environments_skip_do_not_import_airflow() -> None:
    """The folders that only one environment tests do not import Airflow, so another version cannot change their result."""
    folders = runpy.run_path(str(ROOT / "scripts/matrix.py"))["KNOWS_NO_AIRFLOW"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > len(folders)
    imports = re.compile(r"^\s*(?:from|import) airflow\b", re.MULTILINE)
    assert [path.name for path in files if imports.search(path.read_text())] == []
