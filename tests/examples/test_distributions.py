"""The examples as users install them: built by pip, in an environment whose Airflow loads their entry points."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.examples.cases import CASES, EXAMPLES, ROOT, Case
from tests.unit.test_imports import AIRFLOW, HEAVY, OWN

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


LOOK = f"""
import importlib, json, sys
{AIRFLOW}
known = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name.rpartition(".")[0])
added = sorted(set(sys.modules) - known)
from airflow_batch_provider.waiting.kinds import hook_named, kind_named
kinds = {{name: hook_named(kind_named(name).listing.vendor.hook).__module__ for name in sys.argv[1:]}}
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
hooks = {{name: hook.hook_class_name for name, hook in manager.hooks.items() if hook}}
print(json.dumps({{"added": added, "kinds": kinds, "providers": list(manager.providers), "hooks": hooks}}))
"""


@pytest.fixture(scope="module")
def seen(python: Path) -> dict[str, Any]:
    """What a DAG, a triggerer and Airflow's list of providers see there."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-c", LOOK, *(case.module.BATCH.name for case in CASES.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "circular import" not in done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_triggerer_finds_their_kinds_by_import_path(case: Case, seen: dict[str, Any]) -> None:
    assert seen["kinds"][case.module.BATCH.name] == case.module.__name__


def test_airflow_lists_them_and_knows_their_connections(case: Case, seen: dict[str, Any]) -> None:
    assert f"{case.name.replace('_', '-')}-airflow-provider" in seen["providers"]
    assert seen["hooks"][case.name] == f"{case.module.__name__}.{case.prefix}BatchesHook"


def test_parsing_a_dag_with_them_imports_no_heavy_library(seen: dict[str, Any]) -> None:
    added = set(seen["added"])
    assert "airflow_batch_provider.sensors.batch" in added
    assert not {name.partition(".")[0] for name in added} & HEAVY
    assert not added & OWN
