# SPDX-License-Identifier: Apache-2.0
"""Publish Azure Marketplace offers from Apache Airflow."""

from __future__ import annotations

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """Read the version from the installed distribution on first use, which keeps the import fast."""
    if name == "__version__":
        from importlib.metadata import version

        return version("airflow-provider-cpp")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
