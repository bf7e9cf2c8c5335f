"""How Sphinx builds these pages; ``make docs`` does it, and takes every warning for an error."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

# Importing Airflow makes a home for it.
os.environ.setdefault("AIRFLOW_HOME", str(Path(tempfile.gettempdir()) / "airflow-home-of-docs"))

from airflow_batch_provider import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "airflow-batch-provider"
author = "The authors of airflow-batch-provider"
copyright = author  # noqa: A001 - Sphinx's name for it
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
nitpicky = True
# Only names of this package are looked up: the pages of Python and Airflow are not there when these are built.
nitpick_ignore_regex = [("py:.*", r"(?!airflow_batch_provider).*")]
nitpick_ignore = [("py:class", "airflow_batch_provider.sandbox.journal.Recorder")]  # of no use to users
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"airflow-batch-provider {release}"
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Prepare each page before it is read."""
    app.connect("source-read", prepare)
    app.connect("autodoc-process-signature", shorten)


def prepare(app: Sphinx, docname: str, source: list[str]) -> None:
    """Leave out links to what only the repository can show."""
    folder = Path(app.srcdir, docname).parent

    def kept(link: re.Match[str]) -> str:
        # Folders, and reports beside the code, are no pages; in the repository these links work.
        target = (folder / link[2]).resolve()
        is_elsewhere = not target.is_relative_to(app.srcdir) and (target.suffix == ".md" or target.is_dir())
        return link[1] if is_elsewhere else link[0]

    source[0] = re.sub(r"\[([^\]]+)\]\((\.\./[^)#]*)[^)]*\)", kept, source[0])


def shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, None] | None:
    """Leave out the parameters of exceptions, which are those of their base class."""
    is_shown = what != "exception" or name.endswith(".BatchProviderError")
    return None if is_shown or not signature else ("", None)
