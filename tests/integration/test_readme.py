"""The lines of the README's "Use it with your account" work as typed into a shell, in a clone after ``make demo``."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import sandbox
from airflow_batch_provider.vendors import VENDORS

ROOT = Path(__file__).parents[2]
SECTION = re.search(
    r"^## Use it with your account\n(.*?)^## ", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
)
LINES = "".join(re.findall(r"^```sh\n(.*?)^```$", SECTION[1] if SECTION else "", re.DOTALL | re.MULTILINE))
CONNECTION = re.compile(r"^export AIRFLOW_CONN_(?P<vendor>[A-Z]+)_DEFAULT='(?P<connection>.+)'$", re.MULTILINE)


@pytest.fixture
def running() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=120, duration=0, run_seconds=0)) as server:
        yield server


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone has after ``make demo``, without installing all of it again."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def with_account(lines: str, running: Sandbox) -> str:
    """Fill in what a person fills in: the key and the id, here those of the sandbox, and where it is."""

    def filled_in(line: re.Match[str]) -> str:
        connection = json.loads(line["connection"])
        account = running.how_to[line["vendor"].lower()]
        connection |= {"password": account["api_key"], "host": running.url}
        connection["extra"] = {name: account[name] for name in connection.get("extra", {})}
        return f"export AIRFLOW_CONN_{line['vendor']}_DEFAULT='{json.dumps(connection)}'"

    return CONNECTION.sub(filled_in, lines)


def test_there_is_a_line_for_each_connection() -> None:
    assert sorted(line["vendor"].lower() for line in CONNECTION.finditer(LINES)) == sorted(
        vendor.name for vendor in VENDORS
    )


def test_the_lines_bring_results_home(clone: Path, running: Sandbox, tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    script = "set -euo pipefail\n" + with_account(LINES, running)
    typed = subprocess.run(
        ["bash", "-c", script], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert typed.returncode == 0, (typed.stdout + typed.stderr)[-3000:]
    (manifest,) = [json.loads(path.read_text()) for path in (clone / "exports").rglob("_MANIFEST.json")]
    samples = len(list((ROOT / "dags" / "samples" / "documents").iterdir()))
    assert sum(manifest["outcomes"].values()) == samples
