"""Runs the components of a local Airflow in a session of their own, and ends all of them when one ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_batch_provider.testing import connections_to
from dev.local.health import wait_for_json
from dev.local.layout import PASSWORD, USER, Layout, components, services
from dev.paths import ROOT

SECONDS_FOR_THE_SANDBOX = 60


def run(layout: Layout, lock: int) -> None:
    """Run all components until one ends, or this process gets SIGTERM.

    :param layout: folders and ports
    :param lock: a file descriptor that every component keeps open as long as it lives
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    running: dict[int, str] = {}
    variables = dict(os.environ)

    def start(name: str, command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (layout.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(variables),
                cwd=ROOT,
                pass_fds=[lock],
            )
        running[process.pid] = name
        return process

    try:
        layout.passwords.write_text(json.dumps({USER: PASSWORD}))
        for name, command in services(layout).items():
            start(name, command, variables)
        migration = start("migration", [sys.executable, "-m", "airflow", "db", "migrate"], variables)
        landing_page: Any = wait_for_json(layout.sandbox_url, SECONDS_FOR_THE_SANDBOX)
        # Connections that the environment defines already stay as they are.
        variables = connections_to(layout.sandbox_url, landing_page) | variables
        if migration.wait():
            sys.exit("Airflow's database could not be prepared; see migration.log.")
        del running[migration.pid]
        for name, command in components(layout).items():
            start(name, command, variables)
        ended, _ = os.wait()
        sys.exit(f"{running[ended]} has ended, and all others with it; see {running[ended]}.log.")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
