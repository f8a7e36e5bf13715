# SPDX-License-Identifier: Apache-2.0
"""The configuration of Sphinx."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path

# autodoc imports Airflow, which creates its home directory: by default, in the user's home.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-docs-"))
logging.getLogger("airflow").setLevel(logging.WARNING)
sys.path.append(str(Path(__file__).parent / "_extensions"))

project = "airflow-provider-cpp"
author = "the airflow-provider-cpp authors"
copyright = "the airflow-provider-cpp authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "error_table"]
exclude_patterns = ["_build", "performance/results.md"]
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "airflow-provider-cpp"
html_static_path = ["_static/css"]
html_css_files = ["arguments.css"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
suppress_warnings = ["myst.xref_missing"] if os.environ.get("DOCS_DRAFT") else []
