"""Asks a local Airflow whether it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import requests

from dev.local.parts import PASSWORD, ROOT, USER, Layout

SECONDS_BETWEEN_LOOKS = 0.5
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


def wait_until(ready: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again, and tell whether the answer was yes in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return True


def wait_for_json(url: str, seconds: float) -> object:
    """Return what a server answers once it does.

    :raises TimeoutError: it does not
    """
    answers: list[object] = []

    def answered() -> bool:
        try:
            answers.append(_ask(url))
        except OSError:
            return False
        return True

    if not wait_until(answered, seconds):
        raise TimeoutError(f"{url} does not answer")
    return answers[0]


def is_ready(layout: Layout) -> bool:
    """Tell whether all parts are at work and every example DAG has been read."""
    try:
        health = _ask(f"{layout.airflow_url}/api/v2/monitor/health")
        if any((health.get(name) or {}).get("status") != "healthy" for name in COMPONENTS):
            return False
        login = {"username": USER, "password": PASSWORD}
        token = _ask(f"{layout.airflow_url}/auth/token", login)["access_token"]
        read = sum(
            _ask(f"{layout.airflow_url}/api/v2/{what}?limit=1", token=token)["total_entries"]
            for what in ("dags", "importErrors")
        )
    except OSError:
        return False
    return bool(read >= len(list((ROOT / "dags").glob("*.py"))))


def _ask(url: str, body: object = None, token: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with requests.Session() as session:
        session.trust_env = False  # no proxy knows this machine's own servers
        answer = session.request("POST" if body else "GET", url, json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()
