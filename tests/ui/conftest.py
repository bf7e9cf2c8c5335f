"""A local Airflow, as ``make up`` starts it, and a browser that is logged in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_batch_provider.sandbox import Settings, serve
from airflow_batch_provider.testing import connections
from dev.local.layout import Layout
from dev.paths import ROOT
from dev.processes import members
from tests.integration.processes import free_port
from tests.ui.airflow_api import AirflowApi
from tests.ui.browser import Browser, browser


def local(command: str, folder: Path, *options: str) -> str:
    """Run ``python -m dev.local`` as make does, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "dev.local", command, "--folder", folder, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def layout_of(folder: Path) -> Layout:
    """Return its folders and ports."""
    return Layout(folder, *json.loads((folder / "state.json").read_text())["ports"])


def session_of(layout: Layout) -> int:
    """Return the session of its processes."""
    return int(json.loads((layout.folder / "state.json").read_text())["session"])


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A local Airflow; no process of it may be left at the end."""
    folder = tmp_path_factory.mktemp("local")
    with serve(Settings(duration=86400)) as sandbox, pytest.MonkeyPatch.context() as environment:
        # Playment's batches are not finished while the tests run, so that there is one to wait for.
        environment.setenv("AIRFLOW_CONN_PLAYMENT_DEFAULT", connections(sandbox)["AIRFLOW_CONN_PLAYMENT_DEFAULT"])
        try:
            local("up", folder, "--port", str(free_port()))
            yield layout_of(folder)
        finally:
            local("down", folder)
    assert list(members(session_of(layout_of(folder)))) == []


@pytest.fixture(scope="session")
def api(stack: Layout) -> AirflowApi:
    """Airflow's REST API."""
    return AirflowApi(stack)


@pytest.fixture(scope="session")
def logged_in(stack: Layout) -> Iterator[Browser]:
    """A browser that is logged in."""
    with browser(stack.airflow_url) as running:
        running.log_in()
        yield running


@pytest.fixture
def ui(logged_in: Browser) -> Iterator[Browser]:
    """A browser that sends requests to this machine only."""
    logged_in.strangers.clear()
    logged_in.answers.clear()
    yield logged_in
    assert logged_in.strangers == []
