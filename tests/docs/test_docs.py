# SPDX-License-Identifier: Apache-2.0
"""Docs that cannot drift: statuses, errors, parameters and fields are compared with the code, snippets are run."""

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

import airflow_provider_cpp
from airflow_provider_cpp import exceptions
from airflow_provider_cpp.apis.cloud_partner_portal import status as portal
from airflow_provider_cpp.apis.cloud_partner_portal.api import CLOUD_PARTNER_PORTAL_API
from airflow_provider_cpp.apis.cloud_partner_portal.models import parse_status_report
from airflow_provider_cpp.apis.product_ingestion import status as ingestion
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
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def test_every_status_is_documented_with_its_spellings() -> None:
    """The page of statuses has a row for each, with exactly the spellings that the code knows."""
    for column, spellings in ((1, portal.SPELLINGS), (2, ingestion.SPELLINGS)):
        table = {row[0]: re.findall(r"`([^`]+)`", row[column]) for row in rows("statuses.md", "status")}
        by_words = {tuple(words): name for name, words in table.items() if words}
        assert set(by_words) == set(spellings.values())
        assert len(table) == len(Status)


@pytest.mark.parametrize(("column", "until"), [(4, "preview"), (5, "live")])
def test_what_the_page_says_of_a_status_is_what_happens(column: int, until: str) -> None:
    """For each row, waiting, success and failure are as the rules decide them."""
    from airflow_provider_cpp.core.offer_state import evaluate_offer

    for row in rows("statuses.md", "status"):
        for word in re.findall(r"`([^`]+)`", row[1]) or ["frobnicating"]:
            result = evaluate_offer(parse_status_report({"status": word}), until)
            said = row[column].strip("* ").split(",")[0]
            happens = {None: "waits", "reached": "succeeds"}.get(result.value if result else None, "fails")
            assert (word, said) == (word, happens)


def error_classes() -> dict[str, type[exceptions.MarketplaceError]]:
    members = vars(exceptions).values()
    return {
        one.__name__: one for one in members if inspect.isclass(one) and issubclass(one, exceptions.MarketplaceError)
    }


def error_table() -> list[list[str]]:
    """Return the rows of the table of errors, made as Sphinx makes it."""
    extension = runpy.run_path(str(DOCS / "_extensions/error_table.py"))
    lines = (DOCS / "errors.md").read_text().split("```{error-table}\n")[1].split("```")[0].splitlines()
    return [list(row) for row in extension["rows"](extension["read_advice"](lines))]


@pytest.mark.tree
def test_every_error_is_documented() -> None:
    """The table of errors has a row for each class, says of each whether it uses a retry, and what to do."""
    table = {name.strip("`"): (retry.split(" ")[0], bool(advice)) for name, _, _, retry, advice in error_table()}
    decided = {"AuthenticationError", "CancelFailedError", "SubmitOutcomeUnknownError"}
    expected = {
        name: ("if" if name in decided else "yes" if one.retryable else "no", True)
        for name, one in error_classes().items()
    }
    assert table == expected


@pytest.mark.tree
def test_the_statuses_of_errors_are_asked_of_the_code() -> None:
    """The table says which HTTP status makes which error."""
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
    """Each fault of responses and clears that is tried has its row in the documentation, with what must come of it."""
    cases = runpy.run_path(str(ROOT / "tests/crash/cases.py"))["CASES"]
    assert rows("failures_and_retries.md", "fault") == [
        [case.words, str(case.submitted), str(case.accepted), case.ending, case.says] for case in cases
    ]


@pytest.mark.tree
def test_advice_for_an_error_that_is_not_there_fails_the_build() -> None:
    """Advice that is missing, superfluous or for no class at all is named."""
    extension = runpy.run_path(str(DOCS / "_extensions/error_table.py"))
    advice = {name: "look" for name, one in error_classes().items() if not getattr(one, "hint", "")}
    assert len(list(extension["rows"](advice))) == len(error_classes())
    del advice["ConflictError"]
    with pytest.raises(
        ValueError, match="ConflictError needs advice; PermissionDeniedError has a hint of its own; there is no Typo"
    ):
        list(extension["rows"](advice | {"PermissionDeniedError": "look", "Typo": "look"}))


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
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
    """The tables of arguments are the signatures: every name, every default, and no other."""
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
def test_every_templated_argument_is_said_to_be(page: str) -> None:
    """What is templated is documented as such, and nothing else is."""
    said = {row[0].strip("`"): row[2] for row in rows(f"operators/{page}.md", "argument")}
    assert set(said.values()) <= {"yes", "no"}
    assert {name for name, word in said.items() if word == "yes"} == set(PAGES[page].template_fields)


def test_every_method_of_the_hook_is_documented() -> None:
    """The page of the hook names each public method, but for those that only Airflow asks for."""
    named = {name for row in rows("hook.md", "method") for cell in row for name in re.findall(r"`(\w+)`", cell)}
    own = {name for name, one in vars(CloudPartnerPortalHook).items() if inspect.isfunction(one) and name[0] != "_"}
    assert own <= named


def test_every_field_of_the_connection_is_documented() -> None:
    """The page of the connection names every field of the form, and every field that the settings read."""
    named = {re.findall(r"`(\w+)`", row[0])[0] for row in rows("connection.md", "field")}
    source = "".join((PACKAGE / f"transport/{name}.py").read_text() for name in ("settings", "credentials"))
    read = set(re.findall(r'form\.(?:text|seconds|flag|file)\("(\w+)"', source)) | {"verify", "proxies"}
    assert named == read | {"login", "password", "host", "port"}
    assert set(CONNECTION_FIELDS) <= named


def test_what_the_test_button_advises_is_what_the_page_says() -> None:
    """The table of what Entra ID says has each number that the Test button knows, with the same words."""
    plain = [re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " | ".join(row)) for row in rows("connection.md", "what you see")]
    table = [row.split(" | ") for row in plain if row.startswith("`AADSTS")]
    assert {row[0].strip("`").removeprefix("AADSTS"): tuple(row[1:]) for row in table} == ENTRA_ERRORS


@pytest.mark.parametrize("kind", AUTH_TYPES)
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
            CLOUD_PARTNER_PORTAL_API.endpoint,
            host=None,
            login=filled.get("login"),
            password=filled.get("password"),
            extra=filled["extra"],
        )
        assert (settings.credentials.auth_type, settings.publisher_id) == (kind, "contoso")


def test_the_fields_of_an_operation_are_documented() -> None:
    """The table of what the operator returns is what it returns."""
    from airflow_provider_cpp.core.models import OfferRef
    from airflow_provider_cpp.core.operations import Operation

    named = [name for row in rows("operators/publish.md", "field") for name in re.findall(r"`(\w+)`", row[0])]
    operation = Operation(OfferRef("p", "o"), "publish", datetime.now(timezone.utc), "1")
    assert named == list(operation.to_json())


def test_the_numbers_of_what_happens_are_the_codes() -> None:
    """Where the page of events gives a span or a count, it is the one of the code."""
    from airflow_provider_cpp.apis.cloud_partner_portal import update
    from airflow_provider_cpp.core import checkpoint, operations
    from airflow_provider_cpp.tasks import completion, runtime

    words = {4: "four", 5: "five"}
    text = (DOCS / "failures_and_retries.md").read_text()
    for said in (
        f"waits for {operations.VISIBILITY_DELAY / timedelta(minutes=1):g} minutes after it was submitted",
        f"The checkpoint lasts {runtime.CHECKPOINT_RETENTION.days} days",
        f"differ by up to {words[checkpoint.CLOCK_MARGIN // timedelta(minutes=1)]} minutes",
        f"reads are sent up to {words[effects.MAX_TRIES]} times",
        f"{words[update.MAX_TRIES]} times in all",
    ):
        assert said in text
    assert ("an hour after its `timeout`" in text, completion.TRIGGER_TIMEOUT_MARGIN) == (True, timedelta(hours=1))


def test_the_table_of_paces_is_the_code_s() -> None:
    """The page of paces has each step of the code in its order, with the pauses that the code keeps to, in minutes."""
    from airflow_provider_cpp.core import poll_schedule

    shown = [(row[0], row[1], row[2]) for row in rows("polling_intervals.md", "step")]
    kept = [(one.name, f"{one.min_delay / 60:g} min", f"{one.max_delay / 60:g} min") for one in poll_schedule.TABLE]
    last = poll_schedule.OTHERWISE
    assert shown == [
        *kept,
        ("any other, or none that is shown", f"{last.min_delay / 60:g} min", f"{last.max_delay / 60:g} min"),
    ]


def test_the_numbers_on_the_page_of_paces_are_the_code_s() -> None:
    """What the page says in words and numbers beside its table is what the code does."""
    from airflow_provider_cpp.core import poll_schedule

    words = {1 / 5: "a fifth", 1 / 4: "a quarter", 3: "three"}
    text = (DOCS / "polling_intervals.md").read_text()
    for said in (
        f"**{words[poll_schedule.AGE_FRACTION]}** of the time",
        f"up to {words[poll_schedule.JITTER]} longer**",
        f"a delay of {poll_schedule.MIN_BACKOFF / 60:g} minutes at least",
        f"up to {poll_schedule.MAX_BACKOFF / 60:g} minutes",
        f"fewer than {words[poll_schedule.MIN_POLLS_WITHIN_TOLERANCE]} would fit",
        f"waits older than {poll_schedule.RESUMED_AFTER:g} seconds are spread over {poll_schedule.RESUMED_WITHIN:g} seconds",
        f"every {inspect.signature(CancelOfferOperator.__init__).parameters['poll_interval'].default:g} seconds",
    ):
        assert said in text


def test_what_a_change_of_the_draft_returns_is_documented(serve: Callable[..., Emulator]) -> None:
    """The table of what the operators of the draft return is what they return."""
    serve().add_offer("contoso-vm")
    context = {"ti": SimpleNamespace(xcom_push=lambda **_: None)}
    value = UpdateOfferOperator(task_id="update", offer_id="contoso-vm", patch={}).execute(context)
    assert list(value) == [
        name for row in rows("operators/update.md", "returned") for name in re.findall(r"`(\w+)`", row[0])
    ]


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


def test_what_the_readme_links_to_is_there() -> None:
    """Every file that the README links to exists."""
    linked = re.findall(r"\]\((?!https?://|#)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert (bool(linked), [path for path in linked if not (ROOT / path).exists()]) == (True, [])


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
    """No file of the package is longer than 300 lines but for the tree of errors, and no function longer than 60."""
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


def test_every_picture_is_shown_described_and_made_by_a_test() -> None:
    """The pictures that are there are those that pages show, with a text for who cannot see them, and that tests take."""
    folder = DOCS / "_static/screenshots"
    shown = {}
    for page in DOCS.rglob("*.md"):
        for text, path in re.findall(r"!\[([^]]*)\]\(([^)]+)\)", page.read_text()):
            shown[(page.parent / path).resolve()] = text
    taken = {
        folder / f"{name}.png"
        for path in (ROOT / "tests/web").glob("test_*.py")
        for name in re.findall(r'picture\(\s*"([\w-]+)"', path.read_text())
    }
    assert set(shown) == taken == set(folder.iterdir())
    assert [path.name for path, text in shown.items() if len(text) < 20] == []


def test_pictures_are_small() -> None:
    """No picture is larger than what a page can show, and none weighs more than 150 kB."""
    large = []
    for path in (DOCS / "_static/screenshots").glob("*.png"):
        content = path.read_bytes()
        width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))
        if width > 1000 or height > 800 or len(content) > 150_000:
            large.append((path.name, width, height, len(content)))
    assert large == []


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.stem)
def test_every_python_snippet_of_the_docs_is_python(page: Path) -> None:
    """Every Python snippet compiles."""
    for code in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        compile(code, page.name, "exec")


@pytest.mark.parametrize(("heading", "with_notes"), [("### Airflow 3.3", True), ("### Airflow 2.11", False)])
def test_the_crash_tables_have_every_point(heading: str, *, with_notes: bool) -> None:
    """Each step at which the crash runs kill a process has its row, and no row says that anything was ordered twice."""
    place = ROOT / "tests/crash/points.py"
    specification = importlib.util.spec_from_file_location("crash_points", place)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["crash_points"] = module
    specification.loader.exec_module(module)
    section = (DOCS / "failures_and_retries.md").read_text().split(heading)[1].split("\n##")[0]
    found = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")][2:]
    names = {"publish": "publish", "golive": "go-live"}
    assert [row[:2] for row in found] == [
        [names[point.order], point.words] for point in module.points(with_notes=with_notes)
    ]
    last = {"publish": "2", "go-live": "1"}
    allowed = {"1", "1, stops", "0, stops"}
    for row in found:
        good = row[2:] == ["1", "1", last[row[0]]] if with_notes else set(row[2:]) <= allowed
        assert (row, good) == (row, True)


def test_the_page_on_versions_has_every_version_that_is_tested() -> None:
    """Each Airflow of the matrix has its line in the table of what a version lacks, and no other one has."""
    environments = runpy.run_path(str(ROOT / "scripts/matrix.py"))["ENVIRONMENTS"]
    page = (DOCS / "airflow_versions.md").read_text()
    named = re.findall(r"^\| (\d+\.\d+) \|", page, re.MULTILINE)
    assert sorted(named) == sorted(set(environments) - {"lowest"})


def test_the_page_on_versions_accounts_for_every_example_on_each() -> None:
    """Each environment of the matrix has its row in what was run, and each example is run there or said to be beyond it."""
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


def test_what_most_rows_of_the_matrix_leave_out_knows_no_airflow() -> None:
    """No test in the folders that only one row runs imports Airflow, so that another Airflow cannot change what it says."""
    folders = runpy.run_path(str(ROOT / "scripts/matrix.py"))["KNOWS_NO_AIRFLOW"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > len(folders)
    imports = re.compile(r"^\s*(?:from|import) airflow\b", re.MULTILINE)
    assert [path.name for path in files if imports.search(path.read_text())] == []
