"""Airflow's REST API, as far as it takes to start a DAG and to watch it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

PASSWORDS = "simple_auth_manager_passwords.json.generated"


class AirflowApi:
    """A client that has logged in.

    :param url: where the API server answers
    :param home: its home, where it wrote down the password that it made for ``admin``
    """

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._token = ""
        password = json.loads((home / PASSWORDS).read_text())["admin"]
        self._token = self._call("POST", "/auth/token", {"username": "admin", "password": password})["access_token"]

    def unpause(self, dag_id: str) -> None:
        """Let a DAG be scheduled."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})

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
        """Return the task instances of a run, each at its latest try."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances?limit=100"
        instances: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return instances

    def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[dict[str, Any]]:
        """Return every try of a task instance."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/{map_index}/tries"
        tries: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return sorted(tries, key=lambda one: one["try_number"])

    def _call(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        for last in (False, False, False, True):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                    return json.load(answer)
            except TimeoutError:  # a machine at its limit; everything asked here may be asked again
                if last:
                    raise
        return None
