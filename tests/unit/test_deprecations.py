"""No import of ours, wherever in a function it stands, is one that Airflow or Python warns of."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.airflow_versions import AIRFLOW

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_batch_provider"
NEWER = {"retry_policy"} if AIRFLOW < (3, 3) else set()
"""Modules that refuse an older Airflow."""

NOT_FOR_RUNNING = {"__future__", "_typeshed", "wtforms", "wtforms.validators"}
"""Read by type checkers alone, or there only while Airflow draws a form."""

# What Airflow and other libraries warn of while they import themselves is theirs, so these come first, unwatched.
IMPORT_ALL = """
import json, sys, warnings

warnings.simplefilter("ignore")
import fsspec.implementations.local, isal.igzip, msgspec, pyarrow.parquet, requests, tenacity, urllib3, zstandard
import airflow.triggers.base
from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator, Connection, Context, DAG, ObjectStoragePath, task

warnings.simplefilter("error")
for statement in json.load(sys.stdin):
    try:
        exec(statement, {})
    except Warning as warning:
        print(f"{statement}: {type(warning).__name__}: {warning}")
"""


def imports() -> Iterator[str]:
    """Yield every module of the package as an import, and every import that stands in one, or in an example DAG."""
    modules = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem not in NEWER]
    for path in modules:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if path.stem != "__main__":
            yield f"import {name.removesuffix('.__init__')}"
    for path in [*modules, *sorted((ROOT / "dags").glob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(node, "module", "") not in NOT_FOR_RUNNING:
                yield ast.unparse(node)


def warned_of(statements: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], input=json.dumps(statements), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_no_import_is_warned_of() -> None:
    statements = list(dict.fromkeys(imports()))
    assert "import airflow_batch_provider.operators.export" in statements
    assert "from airflow.sdk import ObjectStoragePath" in statements
    assert warned_of(statements) == []


def test_imports_that_airflow_deprecates_would_be_found() -> None:
    deprecated = ["from airflow.hooks.base import BaseHook", "from airflow.models.baseoperator import BaseOperator"]
    found = warned_of(deprecated)
    assert [line.partition(":")[0] for line in found] == deprecated
    assert all("Deprecat" in line for line in found)
