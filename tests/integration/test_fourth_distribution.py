"""Acme as users install it: a distribution of its own, whose entry point Airflow loads while it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OWN = ("results.py", "submission.py", "operators.py", "provider_info.py")
SOURCES = {"batches.py": "acme.py"} | {name: name for name in OWN}
INFO = "acme_airflow_provider-1.0.0.dist-info"


def _wheel(folder: Path) -> Path:
    """Build the wheel of a package that has Acme's files and names its provider info."""
    path = folder / "acme_airflow_provider-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("acme_airflow/__init__.py", "")
        for name, source in SOURCES.items():
            text = (ROOT / "tests/fourth_vendor" / source).read_text()
            text = text.replace("tests.fourth_vendor.acme", "acme_airflow.batches")
            wheel.writestr(f"acme_airflow/{name}", text.replace("tests.fourth_vendor", "acme_airflow"))
        wheel.writestr(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: acme-airflow-provider\nVersion: 1.0.0\n")
        wheel.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        entry_point = "provider_info = acme_airflow.provider_info:get_provider_info"
        wheel.writestr(f"{INFO}/entry_points.txt", f"[apache_airflow_provider]\n{entry_point}\n")
        wheel.writestr(f"{INFO}/RECORD", "".join(f"{name},,\n" for name in [*wheel.namelist(), f"{INFO}/RECORD"]))
    return path


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """The ``airflow`` command of an environment that has Acme, and sees what is installed here."""
    folder = tmp_path_factory.mktemp("acme")
    python = folder / "environment/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    (site_packages,) = (folder / "environment/lib").glob("python*/site-packages")
    (site_packages / "installed_here.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "install", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--quiet", _wheel(folder)], check=True)
    return [python, "-m", "airflow"]


def _run(airflow: list[str | Path], *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*airflow, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "circular import" not in done.stderr
    return done.stdout


def test_airflow_starts_with_it(airflow: list[str | Path]) -> None:
    assert _run(airflow, "version").strip()


def test_airflow_lists_it_and_its_hook(airflow: list[str | Path]) -> None:
    assert "acme-airflow-provider" in _run(airflow, "providers", "list", "--output", "plain")
    assert "acme_airflow.operators.AcmeHook" in _run(airflow, "providers", "hooks", "--output", "plain")
