"""An Airflow that is too old is named at the first import; one that will do, or none, is not in the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def distributions(tmp_path: Path) -> Path:
    """A folder for distributions, of which only name and version are there."""
    return tmp_path


def put(folder: Path, name: str, version: str) -> None:
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script to which no distribution is installed but those of a folder."""
    lines = (
        "import sys",
        f"sys.path[:] = [{str(folder)!r}, {str(ROOT)!r}, *(path for path in sys.path if 'site-packages' not in path)]",
        script,
    )
    return subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({"apache-airflow": "2.11.1"}, "2.11"),
        ({"apache-airflow": "3.0.6", "apache-airflow-core": "3.0.6"}, "3.0"),
        ({"apache-airflow-core": "3.0.0"}, "3.0"),
    ],
    ids=str,
)
def test_an_airflow_that_is_too_old_is_named(installed: dict[str, str], said: str, distributions: Path) -> None:
    for name, version in installed.items():
        put(distributions, name, version)
    done = run(distributions, "import airflow_batch_provider")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"RuntimeError: airflow-batch-provider needs Apache Airflow 3.1 or newer, but {said} is installed; "
        "upgrade Airflow, or uninstall this provider."
    )


@pytest.mark.parametrize("version", ["3.1.0", "3.1.0rc1", "3.2.0.dev0", "3.10.1", "4.0.0"])
def test_any_from_the_oldest_on_will_do(version: str, distributions: Path) -> None:
    put(distributions, "apache-airflow-core", version)
    done = run(distributions, "from airflow_batch_provider import airflow_version as a; print(a.installed_airflow())")
    assert done.stderr == ""
    assert done.stdout.strip() == str(tuple(map(int, version.split(".")[:2])))


def test_without_airflow_nothing_is_in_the_way(distributions: Path) -> None:
    done = run(distributions, "from airflow_batch_provider import airflow_version as a; print(a.installed_airflow())")
    assert (done.stdout.strip(), done.stderr) == ("None", "")
