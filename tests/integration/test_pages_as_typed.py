"""What a reader types or saves from a page works in a folder of their own, in processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator
from airflow_batch_provider.sandbox import Settings
from airflow_batch_provider.testing import sandbox
from tests.conftest import HOME

ROOT = Path(__file__).parents[2]
BINARIES = Path(sys.executable).parent
EXPORT = "file:///data/exports/llamacloud/batches/2026-03-01"


def environment(**values: str) -> dict[str, str]:
    """Return an environment that knows nothing of Airflow but where this package is."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {**kept, "PATH": f"{BINARIES}{os.pathsep}{kept['PATH']}", "PYTHONPATH": str(ROOT), **values}


def run(command: list[str], folder: Path, variables: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=dict(variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("airflow_database")
def test_the_tests_of_the_page_on_testing_pass_as_they_are_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs/testing.md").read_text()
    files = dict(
        re.findall(r"as\s`((?:dags|tests)/\w+\.py)`:\n\n```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    )
    assert page.count("```python") == len(files) == 4
    for name, code in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    (tmp_path / ".airflow").mkdir()
    shutil.copy(HOME / "airflow.db", tmp_path / ".airflow")  # to migrate it again takes less time
    [session] = re.findall(r"^```console\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^\$ (.*)", session, re.MULTILINE)
    assert len(commands) == 3
    output = run(["bash", "-ec", "\n".join(commands)], tmp_path, environment())
    assert f"{sum(code.count('def test_') for code in files.values())} passed" in output


def test_the_notebook_needs_no_connection_and_leaves_no_settings_and_no_database(tmp_path: Path) -> None:
    page = (ROOT / "docs/notebook.md").read_text()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    home, exported = tmp_path / "home", tmp_path / "exported"
    (tmp_path / "invoice.pdf").write_text("%PDF of an invoice")
    with sandbox(Settings(duration=0, jobs=24)) as running:
        LlamaCloudExportBatchesOperator(task_id="export", destination=exported.as_uri()).execute({})
        key = running.how_to["llamacloud"]["api_key"]
        code = code.replace('from_key("llx-..."', f'from_key("{key}", host="{running.url}"')
        (tmp_path / "notebook.py").write_text(code.replace(EXPORT, exported.as_uri()))
        output = run([sys.executable, "notebook.py"], tmp_path, environment(AIRFLOW_HOME=str(home)))
        assert running.journal.llamacloud.batches.total == 1
    assert "24 batches" in output
    assert "parse_v2" in output
    assert key not in output
    assert {path.name for path in home.iterdir()} <= {"logs"}
