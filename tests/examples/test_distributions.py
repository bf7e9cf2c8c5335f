"""The examples as users install them: built by pip, in an environment whose Airflow loads their entry points."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from airflow_batch_provider.apis.extra import COMMON_EXTRAS
from tests.examples.cases import CASES, EXAMPLES, ROOT, Case
from tests.unit.test_imports import AIRFLOW, HEAVY, OWN, modules_after

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the examples, and sees what is installed here."""
    folder = tmp_path_factory.mktemp("examples")
    python = folder / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    (site_packages,) = (folder / "environment/lib").glob("python*/site-packages")
    (site_packages / "installed_here.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    sources = [shutil.copytree(EXAMPLES / case.name, folder / case.name) for case in CASES.values()]
    options = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*PIP, "--python", python, *options, *sources], check=True)
    return python


def _run(python: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "circular import" not in done.stderr
    return done.stdout


def test_airflow_lists_them_and_knows_their_connections(python: Path) -> None:
    providers = _run(python, "-m", "airflow", "providers", "list", "--output", "plain")
    hooks = _run(python, "-m", "airflow", "providers", "hooks", "--output", "plain")
    for case in CASES.values():
        assert f"{case.name.replace('_', '-')}-airflow-provider" in providers
        assert f"{case.module.__name__}.{case.prefix}BatchesHook" in hooks


FIND_KINDS = """
import sys
from airflow_batch_provider.waiting.kinds import hook_named, kind_named
for name in sys.argv[1:]:
    print(kind_named(name).name, hook_named(kind_named(name).listing.vendor.hook).__module__)
"""


def test_a_triggerer_finds_their_kinds_by_import_path_alone(python: Path) -> None:
    names = [case.module.BATCH.name for case in CASES.values()]
    lines = _run(python, "-c", FIND_KINDS, *names).splitlines()
    assert lines == [f"{name} {name.removesuffix('.BATCH')}" for name in names]


def info_of(case: Case) -> dict[str, Any]:
    from importlib import import_module

    return dict(import_module(f"{case.name}.provider_info").get_provider_info())


def test_their_metadata_is_valid_and_draws_a_form(case: Case) -> None:
    info = info_of(case)
    jsonschema.validate(info, json.loads(files("airflow").joinpath("provider_info.schema.json").read_text()))
    (form,) = info["connection-types"]
    assert form["connection-type"] == case.name
    assert list(form["conn-fields"]) == [*COMMON_EXTRAS]


def test_parsing_a_dag_with_them_imports_no_heavy_library() -> None:
    paths = f"import sys; sys.path[:0] = {[str(EXAMPLES / case.name) for case in CASES.values()]}"
    imports = "\n".join(f"import {case.module.__name__}" for case in CASES.values())
    added = modules_after(f"{AIRFLOW}\n{paths}\n{imports}") - modules_after(AIRFLOW)
    assert "airflow_batch_provider.sensors.batch" in added
    assert not {name.partition(".")[0] for name in added} & HEAVY
    assert not added & OWN
