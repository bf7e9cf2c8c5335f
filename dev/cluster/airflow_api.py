"""What it takes of Airflow's REST API to start a DAG and watch it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

PASSWORDS = "simple_auth_manager_passwords.json.generated"


class AirflowApi:
    """A client that has logged in.

    :param url: where the API server answers
    :param home: its home, where it wrote down the password that it made for ``admin``
    """

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        # A machine at its limit answers late; every request here may be retried.
        self._session.mount(url, HTTPAdapter(max_retries=Retry(3, connect=0, allowed_methods=None)))
        password = json.loads((home / PASSWORDS).read_text())["admin"]
        token = self._call("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def unpause(self, dag_id: str) -> None:
        """Let a DAG be scheduled."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

    def start(self, dag_id: str) -> str:
        """Start a run by hand, and return its id."""
        run: dict[str, Any] = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return str(run["dag_run_id"])

    def dag_ids(self) -> set[str]:
        """Return the DAGs that Airflow knows."""
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags?limit=100")["dags"]}

    def import_errors(self) -> list[dict[str, Any]]:
        """Return the DAG files that cannot be read, and why."""
        errors: list[dict[str, Any]] = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return errors

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG."""
        runs: list[dict[str, Any]] = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]
        return runs

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, each at its latest attempt."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances?limit=100"
        instances: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return instances

    def attempts(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[dict[str, Any]]:
        """Return every attempt of a task instance."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/{map_index}/tries"
        attempts: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return sorted(attempts, key=lambda one: one["try_number"])

    def _call(self, method: str, path: str, body: object = None) -> Any:
        answer = self._session.request(method, self._url + path, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()
