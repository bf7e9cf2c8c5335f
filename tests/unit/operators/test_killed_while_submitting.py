"""A task that is ended while the request that creates is under way cancels whatever that has made."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_batch_provider.operators.llamacloud import LlamaCloudRunBatchOperator
from airflow_batch_provider.operators.run import RunBatchOperator
from airflow_batch_provider.operators.talkifai import TalkifAIRunBatchJobOperator
from airflow_batch_provider.testing import no_backoff
from tests.unit.operators.run_cases import TaskInstance, context_of
from tests.vendor_server import Answer, How, serve

SIGNAL = signal.SIGUSR1


@dataclass
class OneBatch:
    """A vendor that makes one batch, and has the task ended meanwhile.

    :param when: whether the task is ended ``before`` the batch is made, or ``after``
    :param is_lost: whether its answer is lost
    """

    when: str
    is_lost: bool
    batch: dict[str, Any] = field(default_factory=dict)
    creates: int = 0
    others: list[str] = field(default_factory=list)
    end_task: Callable[[], None] = lambda: None

    def answer(self, method: str, path: str, query: Mapping[str, str], headers: Any) -> Answer:
        """Answer as LlamaCloud and TalkifAI do."""
        if method == "POST" and path in {"/api/v2/batches", "/batch/create"}:
            return self.create(path)
        if method == "POST":
            if not path.endswith("/cancel"):
                self.others.append(path)
            self.batch["status"] = "CANCELLED" if "v2" in path else "cancelled"
            return json_of(self.batch)
        if path in {"/api/v2/batches", "/batch/jobs"}:
            rows = [self.batch] if self.batch else []
            return json_of({"items": rows} if "v2" in path else {"batchJobs": rows, "total": len(rows)})
        return json_of(self.batch)

    def create(self, path: str) -> Answer:
        self.creates += 1
        if self.when == "before":
            self.end_task()
        facts = {"id": "b1", "created_at": "2999-01-01T00:00:00Z", "createdAt": "2999-01-01T00:00:00Z"}
        if "v2" in path:
            self.batch = {**facts, "status": "RUNNING", "source_directory_id": "dir-1"}
        else:
            self.batch = {**facts, "status": "scheduled", "name": "n [af:KEY]", "totalContacts": 1}
        if self.when == "after":
            self.end_task()
        made = {**self.batch, "batchJobId": "b1"}
        return Answer(how=How.CLOSE) if self.is_lost else json_of(made)


def json_of(document: Any) -> Answer:
    return Answer(body=json.dumps(document).encode())


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with no_backoff():
        yield


def make(name: str, **parameters: Any) -> RunBatchOperator:
    values: dict[str, Any] = {"task_id": "run", "deferrable": False, **parameters}
    if name == "llamacloud":
        return LlamaCloudRunBatchOperator(
            job_type="parse_v2", configuration_id="cfg-1", source_directory_id="dir-1", **values
        )
    return TalkifAIRunBatchJobOperator(
        name="n",
        contacts=[{"phone": "+14155550101"}],
        from_phone_number_id="f",
        organization_id="o",
        submit_key="x",
        **values,
    )


@pytest.mark.parametrize("name", ["llamacloud", "talkifai"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("cancels", [True, False])
def test_what_was_being_made_is_cancelled_and_nothing_more_is_sent(
    name: str, when: str, is_lost: bool, cancels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = OneBatch(when, is_lost)
    operator = make(name, cancel_on_kill=cancels)
    # Airflow's handler of a signal does just this, and returns: the main thread goes on.
    before = signal.signal(SIGNAL, lambda number, frame: operator.on_kill())
    handled = Handled(operator)
    vendor.end_task = handled.end
    monkeypatch.setattr("airflow_batch_provider.vendors.talkifai_submission._tag", lambda work: " [af:KEY]")
    try:
        with serve(vendor.answer) as server:
            connection = {"conn_type": name, "host": server.url, "password": "k"}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps(connection))
            instance = TaskInstance()
            with pytest.raises(RuntimeError, match="the task has ended"):
                operator.execute(context_of(instance))
    finally:
        signal.signal(SIGNAL, before)
    assert vendor.creates == 1
    assert not vendor.others  # it was not started
    assert (vendor.batch["status"].casefold() == "cancelled") is cancels
    assert instance.xcoms.get("batch_id") == (None if is_lost else "b1")


@dataclass
class Handled:
    """Ends a task as a supervisor does, from another thread than the main one, and waits until it has taken note."""

    operator: RunBatchOperator

    def end(self) -> None:
        """Send the signal, again until it is handled: a thread that is about to block would not see the first one."""
        while not self.operator._is_killed:
            os.kill(os.getpid(), SIGNAL)
            HANDLED.wait(0.05)


HANDLED = threading.Event()
"""Never set: waiting for it lets the main thread run."""
