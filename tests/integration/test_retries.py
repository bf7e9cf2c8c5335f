"""The retry policy in a real task run: what Airflow's database says of a try that failed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from airflow_batch_provider.retry_policy import BatchRetryPolicy
from tests.hostile_server import Script, answer, attack

pytestmark = pytest.mark.usefixtures("airflow_database")

DAY = datetime(2026, 3, 1, tzinfo=UTC)
DAG_ID = "talkifai_batch_jobs"
PAGE = answer(json.dumps({"batchJobs": [{"id": "j", "status": "completed"}], "total": 1, "pageSize": 100}).encode())


def once(first: bytes, then: bytes) -> Script:
    """Answer the first request with one thing, and all later ones with another."""
    answers = [first]

    def script(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answers.pop() if answers else then)

    return script


@contextmanager
def vendor(script: Script) -> Iterator[None]:
    with attack(script) as server, pytest.MonkeyPatch.context() as patch:
        extra = {"organization_id": "o", "max_attempts": 1}
        connection = {"conn_type": "talkifai", "host": server.url, "password": "key", "extra": extra}
        patch.setenv("AIRFLOW_CONN_TALKIFAI_DEFAULT", json.dumps(connection))
        yield


@pytest.fixture
def dag() -> Any:
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(dag_folder=str(Path(__file__).parents[2] / "dags")).dags[DAG_ID]
    export = dag.get_task("export")
    export.retries, export.retry_delay = 2, timedelta(seconds=3)
    # So short that `dag.test`, which waits for a retry like the scheduler does, is not held up.
    export.retry_policy = BatchRetryPolicy(first_delay=timedelta(seconds=0.2))
    return dag


def tries(run: Any) -> list[tuple[str | None, float | None, str | None]]:
    """Return state, pause before the next try, and its reason, of each try but the last one."""
    from airflow.models.taskinstancehistory import TaskInstanceHistory as History
    from airflow.utils.session import create_session

    query = select(History).where(History.run_id == run.run_id, History.task_id == "export")
    with create_session() as session:
        history = session.scalars(query.order_by(History.try_number)).all()
        return [(attempt.state, attempt.retry_delay_override, attempt.retry_reason) for attempt in history]


def test_a_rate_limited_task_is_run_again_when_the_vendor_said(dag: Any, exports: Path) -> None:
    with vendor(once(answer(b"{}", 429, Retry_After="1"), PAGE)):
        run = dag.test(logical_date=DAY)
    assert run.state == "success"
    ((_, delay, reason),) = tries(run)
    assert delay == 1.0
    assert reason == "RateLimitedError: the vendor asks to come back later; again in 1 s"


def test_a_transient_failure_is_run_again_after_a_pause(dag: Any, exports: Path) -> None:
    with vendor(once(answer(b"{}", 503), PAGE)):
        run = dag.test(logical_date=DAY)
    assert run.state == "success"
    ((_, delay, reason),) = tries(run)
    assert delay is not None
    assert 0.1 <= delay <= 0.2
    assert str(reason).startswith("TransientError: it may pass")


def test_a_refused_key_is_not_tried_again(dag: Any, exports: Path) -> None:
    with vendor(once(answer(b"{}", 401), PAGE)):
        run = dag.test(logical_date=DAY)
    assert run.state == "failed"
    assert tries(run) == []
