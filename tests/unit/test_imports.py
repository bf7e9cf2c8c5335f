"""What is imported where: layers one way, and no heavy library where DAGs are parsed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_batch_provider"
PARSED = [
    "airflow_batch_provider.get_provider_info",
    *(
        f"airflow_batch_provider.{kind}.{path.stem}"
        for kind in ("hooks", "operators", "sensors", "triggers")
        for path in sorted((PACKAGE / kind).glob("[a-z]*.py"))
    ),
]
HEAVY = {
    "aiohttp",
    "boto3",
    "botocore",
    "charset_normalizer",
    "fsspec",
    "httpx",
    "isal",
    "msgspec",
    "numpy",
    "openlineage",
    "pandas",
    "pyarrow",
    "requests",
    "s3fs",
    "starlette",
    "tenacity",
    "upath",
    "urllib3",
    "uvicorn",
    "xxhash",
    "zstandard",
}
LIGHT_FORMATS = {"compression", "registry"}
"""The tables of formats and compressions, whose names operators check; no module that writes or reads a file."""

LIGHT_STORES = {"destination_uri", "places", "role"}
"""What operators know of a place without opening it."""

OWN = {
    f"airflow_batch_provider.{name}"
    for name in (
        *("client.client", "client.session", "export", "listing", "sandbox", "testing"),
        *(f"stores.{path.stem}" for path in (PACKAGE / "stores").glob("[a-z]*.py") if path.stem not in LIGHT_STORES),
        *(f"formats.{path.stem}" for path in (PACKAGE / "formats").glob("[a-z]*.py") if path.stem not in LIGHT_FORMATS),
    )
}
AIRFLOW_NEEDS = {"msgspec"}
"""What Airflow's task SDK reads its own messages with, so that it is there wherever DAGs are parsed."""

AIRFLOW = "from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator, DAG"


def modules_after(statement: str) -> set[str]:
    script = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def imported_by(module: str) -> set[str]:
    """Return the top packages that a module imports when it is imported itself."""
    path = ROOT / module.replace(".", "/")
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    found = set()
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.fixture(scope="module")
def airflows_own() -> set[str]:
    return modules_after(AIRFLOW)


@pytest.fixture(scope="module")
def added(airflows_own: set[str]) -> set[str]:
    return modules_after(f"{AIRFLOW}\nimport {', '.join(PARSED)}") - airflows_own


def test_every_module_that_users_import_from_is_looked_at() -> None:
    assert {"hooks.talkifai", "operators.verify", "sensors.llamacloud", "triggers.batch"} <= {
        name.removeprefix("airflow_batch_provider.") for name in PARSED
    }


def test_parsing_a_dag_imports_no_heavy_library(added: set[str]) -> None:
    assert not {name.partition(".")[0] for name in added} & HEAVY


def test_parsing_a_dag_imports_neither_client_nor_exports_nor_sandbox(added: set[str]) -> None:
    assert set(PARSED) - {"airflow_batch_provider.get_provider_info"} <= added
    assert not added & OWN


def test_nothing_heavy_is_imported_that_airflow_happens_to_have_loaded(added: set[str]) -> None:
    """Airflow loads fsspec and others today; what is parsed must not need them when it stops to."""
    own = {name for name in added if name.startswith("airflow_batch_provider")}
    assert {name: heavy for name in own if (heavy := imported_by(name) & HEAVY - AIRFLOW_NEEDS)} == {}


def test_the_apis_import_nothing_that_does_io() -> None:
    added = modules_after("import airflow_batch_provider.vendors.playment, airflow_batch_provider.vendors.talkifai")
    assert not {name.partition(".")[0] for name in added} & {*HEAVY - AIRFLOW_NEEDS, "airflow"}


def test_layers_import_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["airflow_batch_provider.get_provider_info", "tests.fourth_vendor.provider_info"])
def test_a_provider_info_imports_nothing_of_airflow(module: str) -> None:
    """Airflow loads it while its own modules are half imported."""
    assert not {name for name in modules_after(f"import {module}") if name.partition(".")[0] == "airflow"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("airflow_batch_provider", cache_dir=None)
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()
