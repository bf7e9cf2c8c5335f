"""Checks whether a local Airflow is ready."""

from __future__ import annotations

from typing import Any

import requests

from dev.local.layout import PASSWORD, USER, Layout
from dev.paths import ROOT
from dev.processes import wait_until

COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


def wait_for_json(url: str, seconds: float) -> object:
    """Return the answer of a server as soon as it gives one.

    :raises TimeoutError: it gives none
    """
    answers: list[object] = []

    def answered() -> bool:
        try:
            answers.append(_request(url))
        except OSError:
            return False
        return True

    if not wait_until(answered, seconds):
        raise TimeoutError(f"{url} does not answer")
    return answers[0]


def is_ready(layout: Layout) -> bool:
    """Return whether all components are healthy and every example DAG has been parsed."""
    try:
        # Airflow prepares the API that tasks call at the first call, and answers nobody meanwhile: 5 seconds of CPU
        # time, 70 seconds on a busy machine. A first run would be queued for as long.
        _request(f"{layout.airflow_url}/execution/health")
        health = _request(f"{layout.airflow_url}/api/v2/monitor/health")
        if any((health.get(name) or {}).get("status") != "healthy" for name in COMPONENTS):
            return False
        login = {"username": USER, "password": PASSWORD}
        token = _request(f"{layout.airflow_url}/auth/token", login)["access_token"]
        read = sum(
            _request(f"{layout.airflow_url}/api/v2/{what}?limit=1", token=token)["total_entries"]
            for what in ("dags", "importErrors")
        )
    except OSError:
        return False
    return bool(read >= len(list((ROOT / "dags").glob("*.py"))))


def _request(url: str, body: object = None, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False  # no proxy knows this machine's own servers
        answer = session.request("POST" if body else "GET", url, json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()
