"""Wheel and sdist hold the package and nothing else, and tell what it is."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

from airflow_batch_provider import __version__

ROOT = Path(__file__).parents[2]


def tracked() -> set[str]:
    """Return the package's files that git knows: neither tests nor DAGs are among them, the sandbox is."""
    done = subprocess.run(
        ["git", "ls-files", "airflow_batch_provider"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_wheel_holds_the_package_and_what_describes_it(wheel: Path) -> None:
    about = f"airflow_batch_provider-{__version__}.dist-info"
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    held = set(zipfile.ZipFile(wheel).namelist())
    assert held == tracked() | {f"{about}/{name}" for name in described}
    assert {"airflow_batch_provider/py.typed", "airflow_batch_provider/sandbox/server.py"} <= held


def test_the_sdist_holds_what_builds_the_wheel(sdist: Path) -> None:
    name = f"airflow_batch_provider-{__version__}"
    files = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"} | tracked()
    with tarfile.open(sdist) as archive:
        held = set(archive.getnames())
    assert held == {f"{name}/{file}" for file in files}


def test_the_tree_builds_the_wheel_that_the_sdist_built(wheel: Path, tmp_path: Path) -> None:
    """``build`` makes the wheel from the sdist; both take their times from SOURCE_DATE_EPOCH, which make sets."""
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_metadata_say_what_pip_and_people_look_for(metadata: Message) -> None:
    assert metadata["Name"] == "airflow-batch-provider"
    assert metadata["Version"] == __version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE"]
    extras = {"all", "amazon", "azure", "cluster", "dev", "docs", "google", "openlineage", "parquet", "ui", "zstd"}
    assert set(metadata.get_all("Provides-Extra", [])) == extras
    assert {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider", "Typing :: Typed"} <= set(
        metadata.get_all("Classifier", [])
    )


def test_without_an_extra_only_airflow_and_small_libraries_are_installed(metadata: Message) -> None:
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert "apache-airflow>=3.1" in needed
    assert not [line for line in needed if any(name in line for name in ("pyarrow", "zstandard", "s3fs", "gcsfs"))]
