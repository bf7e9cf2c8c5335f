"""What ``make package`` built, and an empty environment into which the wheel is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", CONSTRAINTS)


@pytest.fixture(scope="session")
def wheel() -> Path:
    (path,) = (ROOT / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sdist() -> Path:
    (path,) = (ROOT / "dist").glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder that Airflow may write to.

    :param folder: where both are
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "environment/bin/python"

    def run(self, *arguments: str | Path) -> str:
        """Run its interpreter far from this repository, and return what it writes.

        :param arguments: what follows ``python -I``, which looks for modules nowhere but in the environment
        """
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment["AIRFLOW_HOME"] = str(self.folder / "airflow")
        done = subprocess.run(
            [self.python, "-I", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that holds the wheel and what it needs, and no extra."""
    environment = Environment(tmp_path_factory.mktemp("installed"))
    subprocess.run([sys.executable, "-m", "venv", environment.python.parent.parent], check=True)
    environment.run(*PIP_INSTALL, wheel)
    return environment
