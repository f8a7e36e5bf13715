# SPDX-License-Identifier: Apache-2.0
"""A Sphinx directive that writes the table of errors out of the code.

Its lines say what a person can do, for each class whose ``hint`` does not say so already. A class without advice, or
advice for a class that is not there, is a warning, and so fails the build.
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


def classes() -> dict[str, type[exceptions.MarketplaceError]]:
    """Return the tree's classes in the order in which they are written."""
    found = (
        one
        for one in vars(exceptions).values()
        if inspect.isclass(one) and issubclass(one, exceptions.MarketplaceError)
    )
    return {one.__name__: one for one in found}


def read_advice(lines: list[str]) -> dict[str, str]:
    """Read lines of the form ``Class: what to do``."""
    split = (line.partition(": ") for line in lines if line.strip())
    return {name.strip(): text.strip() for name, _, text in split}


def rows(advice: Mapping[str, str]) -> Iterator[tuple[str, str, str, str, str]]:
    """Give for each class its name, its HTTP status, when it is raised, whether it uses a retry, and what to do.

    :raises ValueError: naming every class that lacks advice, has it twice, or is not there.
    """
    own = {name: str(getattr(one, "hint", "")) for name, one in classes().items()}
    problems = [f"{name} needs advice" for name, hint in own.items() if not hint and name not in advice]
    problems += [f"{name} has a hint of its own" for name, hint in own.items() if hint and name in advice]
    problems += [f"there is no {name}" for name in advice if name not in own]
    if problems:
        raise ValueError("; ".join(problems))
    statuses = _statuses()
    for name, one in classes().items():
        yield f"`{name}`", statuses.get(name, ""), _when(one), _retry(one), own[name] or advice[name]


def table(advice: Mapping[str, str]) -> str:
    """Write the table as Markdown."""
    head = ("class", "HTTP", "when", "uses a retry", "what to do")
    lines = [head, ("---",) * len(head), *rows(advice)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _statuses() -> dict[str, str]:
    """Find out which HTTP statuses make which error, by asking the code for each of them."""
    call: http.Request[Any] = http.Request("", "GET", "/", lambda reply: reply)
    found: dict[str, list[int]] = {}
    for status in (*range(100, 200), *range(300, 600)):
        reply = http.Response(status, b"", {}, "https://portal.example", datetime.now(timezone.utc))
        try:
            http.decode_response(call, reply)
        except exceptions.RequestError as error:
            found.setdefault(type(error).__name__, []).append(status)
    return {name: _shortly(codes) for name, codes in found.items()}


def _shortly(codes: list[int]) -> str:
    parts: list[str] = []
    for hundred in sorted({code // 100 for code in codes}):
        of_it = [code for code in codes if code // 100 == hundred]
        whole = "" if len(of_it) == 100 else "other "  # noqa: PLR2004 - all of them
        parts += [f"{whole}{hundred}xx"] if len(of_it) > 50 else map(str, of_it)  # noqa: PLR2004 - most of them
    return ", ".join(parts)


def _when(one: type[exceptions.MarketplaceError]) -> str:
    """Return the docstring's first line, without the statuses that have a column of their own."""
    line = (inspect.getdoc(one) or "").splitlines()[0].rstrip(".")
    text = re.sub(r"^(?:[45][0-9x]{2}(?:, | or another )?)+: ", "", line)
    return text[:1].upper() + text[1:]


def _retry(one: type[exceptions.MarketplaceError]) -> str:
    decided = re.search(r"self\.retryable = (\w+)", inspect.getsource(one.__init__) if "__init__" in vars(one) else "")
    if decided is None:
        return "yes" if one.retryable else "no"
    meaning = re.search(rf":param {decided[1]}: (?:whether )?([^:]+?)\.?\n *(?::|$)", f"{inspect.getdoc(one)}\n")
    return f"if {' '.join(meaning[1].split())}" if meaning else f"if `{decided[1]}`"


class ErrorTable(SphinxDirective):
    """The directive ``error-table``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the table where the directive stands."""
        try:
            text = table(read_advice(list(self.content)))
        except ValueError as problem:
            raise self.error(f"error-table: {problem}") from problem
        return self.parse_text_to_nodes(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("error-table", ErrorTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
