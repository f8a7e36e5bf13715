# SPDX-License-Identifier: Apache-2.0
"""A Sphinx directive that generates the table of errors from the code.

Its content has a line of advice for each class without a ``hint``. Missing advice, or advice for an unknown class, is a warning,
which fails the build.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from airflow_provider_cpp import exceptions
from airflow_provider_cpp.core import http


def error_classes() -> dict[str, type[exceptions.MarketplaceError]]:
    """Return the classes of the error tree in the order of their definition."""
    members = vars(exceptions).values()
    return {
        kind.__name__: kind
        for kind in members
        if inspect.isclass(kind) and issubclass(kind, exceptions.MarketplaceError)
    }


def read_advice(lines: list[str]) -> dict[str, str]:
    """Read lines of the form ``Class: what to do``."""
    split = (line.partition(": ") for line in lines if line.strip())
    return {name.strip(): text.strip() for name, _, text in split}


def rows(advice: Mapping[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield for each class its name, its HTTP statuses, when it is raised, whether it uses a retry, and what to do.

    :raises ValueError: if a class has no advice, or has both advice and a hint, or if advice is for an unknown class.
    """
    hints = {name: str(getattr(kind, "hint", "")) for name, kind in error_classes().items()}
    problems = [f"{name} needs advice" for name, hint in hints.items() if not hint and name not in advice]
    problems += [f"{name} has a hint of its own" for name, hint in hints.items() if hint and name in advice]
    problems += [f"there is no {name}" for name in advice if name not in hints]
    if problems:
        raise ValueError("; ".join(problems))
    statuses = _statuses()
    for name, kind in error_classes().items():
        yield f"`{name}`", statuses.get(name, ""), _when(kind), _retry(kind), hints[name] or advice[name]


def table(advice: Mapping[str, str]) -> str:
    """Return the table as Markdown."""
    head = ("class", "HTTP", "when", "uses a retry", "what to do")
    lines = [head, ("---",) * len(head), *rows(advice)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _statuses() -> dict[str, str]:
    """Return the HTTP statuses of each class, by decoding a response with each status."""
    request: http.Request[Any] = http.Request("", "GET", "/", lambda response: response)
    statuses: dict[str, list[int]] = {}
    for status in (*range(100, 200), *range(300, 600)):
        response = http.Response(status, b"", {}, "https://cloudpartner.azure.com", datetime.now(timezone.utc))
        try:
            http.decode_response(request, response)
        except exceptions.RequestError as error:
            statuses.setdefault(type(error).__name__, []).append(status)
    return {name: _abbreviate(codes) for name, codes in statuses.items()}


def _abbreviate(codes: list[int]) -> str:
    parts: list[str] = []
    for hundred in sorted({code // 100 for code in codes}):
        own = [code for code in codes if code // 100 == hundred]
        prefix = "" if len(own) == 100 else "other "  # noqa: PLR2004 - all of them
        parts += [f"{prefix}{hundred}xx"] if len(own) > 50 else map(str, own)  # noqa: PLR2004 - most of them
    return ", ".join(parts)


def _when(kind: type[exceptions.MarketplaceError]) -> str:
    """Return the docstring's first line, without the HTTP statuses, which have a column of their own."""
    line = (inspect.getdoc(kind) or "").splitlines()[0].rstrip(".")
    text = re.sub(r"^(?:[45][0-9x]{2}(?:, | or another )?)+: ", "", line)
    return text[:1].upper() + text[1:]


def _retry(kind: type[exceptions.MarketplaceError]) -> str:
    source = inspect.getsource(kind.__init__) if "__init__" in vars(kind) else ""
    parameter = re.search(r"self\.retryable = (\w+)", source)
    if parameter is None:
        return "yes" if kind.retryable else "no"
    meaning = re.search(rf":param {parameter[1]}: (?:whether )?([^:]+?)\.?\n *(?::|$)", f"{inspect.getdoc(kind)}\n")
    return f"if {' '.join(meaning[1].split())}" if meaning else f"if `{parameter[1]}`"


class ErrorTable(SphinxDirective):
    """The directive ``error-table``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the table's nodes."""
        try:
            text = table(read_advice(list(self.content)))
        except ValueError as problem:
            raise self.error(f"error-table: {problem}") from problem
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("error-table", ErrorTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
