"""Airflow's home is a temporary folder, made before Airflow is imported: it reads its configuration only once."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.airflow_versions import AIRFLOW

settings.register_profile("nightly", max_examples=2_000, deadline=None, print_blob=True)
if "HYPOTHESIS_PROFILE" in os.environ:
    settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])

collect_ignore = [] if AIRFLOW >= (3, 3) else ["integration/test_retries.py", "unit/test_retry_policy.py"]

HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY="0",  # a task that fails fails its test soon, also if it has retries
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).parent.parent / "dags"),
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    NO_PROXY="127.0.0.1",
)
for name in [name for name in os.environ if name.startswith("AIRFLOW_CONN_")]:
    del os.environ[name]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nothing sleeps; the seconds that the client would have slept are recorded."""
    from airflow_batch_provider import backoff

    recorded: list[float] = []
    monkeypatch.setattr(backoff, "pause", recorded.append)
    return recorded


@pytest.fixture(autouse=True)
def _propagate_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Keep what is logged at any level, for tests that look for what must not be there."""
    caplog.set_level(logging.INFO)
