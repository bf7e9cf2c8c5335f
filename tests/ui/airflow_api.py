"""Airflow's REST API, for what a test prepares or waits for beside the browser."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from dev.local.layout import PASSWORD, USER, Layout

SECONDS_FOR_A_RUN = 900  # it ends as soon as the run does; a busy machine may take long
SECONDS_BETWEEN = 1.0
ENDED = {"success", "failed"}


class AirflowApi:
    """A client that has logged in.

    :param layout: the local Airflow
    """

    def __init__(self, layout: Layout) -> None:
        self._url = layout.airflow_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(self._url, HTTPAdapter(max_retries=Retry(3, connect=0)))
        login = {"username": USER, "password": PASSWORD}
        self.token = str(self.call("POST", "/auth/token", login)["access_token"])
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return an answer's content."""
        answer = self._session.request(method, f"{self._url}{path}", json=body, timeout=120)
        answer.raise_for_status()
        return answer.json()

    def trigger(self, dag_id: str, conf: dict[str, str] | None = None) -> str:
        """Switch a DAG on, start a run, and return the run's path."""
        run = self.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        self.call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})
        return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}"

    def running(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG that are at work; others are queued behind them."""
        return list(self.call("GET", f"/api/v2/dags/{dag_id}/dagRuns?state=running")["dag_runs"])

    def wait_for_run(self, path: str) -> str:
        """Return how a run ended."""
        return str(self._wait(path, ENDED))

    def wait_for_task(self, path: str, task_id: str, state: str) -> None:
        """Wait until a task of a run is in a state."""
        self._wait(f"{path}/taskInstances/{task_id}", {state})

    def _wait(self, path: str, states: set[str]) -> Any:
        latest = time.monotonic() + SECONDS_FOR_A_RUN
        while (state := self.call("GET", path)["state"]) not in states:
            assert time.monotonic() < latest, f"{path} is still {state}"
            time.sleep(SECONDS_BETWEEN)
        return state
