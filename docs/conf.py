"""How Sphinx builds these pages; ``make docs`` does it, and takes every warning for an error."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Importing Airflow makes a home for it.
os.environ.setdefault("AIRFLOW_HOME", str(Path(tempfile.gettempdir()) / "airflow-home-of-docs"))

from airflow_batch_provider import __version__  # noqa: E402

project = "airflow-batch-provider"
author = "The authors of airflow-batch-provider"
copyright = author  # noqa: A001 - Sphinx's name for it
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
nitpicky = True
# Only names of this package are looked up: the pages of Python and Airflow are not there when these are built.
nitpick_ignore_regex = [("py:.*", r"(?!airflow_batch_provider).*")]
# Pages are named in index.md before they are written.
suppress_warnings = ["toc.empty_glob"]

myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"airflow-batch-provider {release}"
html_show_sphinx = False
