"""Runs the parts of a local Airflow in a session of their own, and ends them all when one ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dev.local import parts
from dev.local.health import wait_for_json
from dev.local.parts import Layout

SECONDS_FOR_THE_SANDBOX = 60


def run(layout: Layout, lock: int) -> None:
    """Run all parts until one ends, or this process is told to.

    :param layout: where they lie and listen
    :param lock: a file descriptor that every part holds as long as it lives
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    running: dict[int, str] = {}
    variables = parts.environment(layout)

    def start(name: str, command: Sequence[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (layout.logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(variables),
                cwd=parts.ROOT,
                pass_fds=[lock],
            )
        running[process.pid] = name
        return process

    try:
        layout.passwords.write_text(json.dumps({parts.USER: parts.PASSWORD}))
        for name, command in parts.services(layout).items():
            start(name, command, variables)
        migration = start("migration", [sys.executable, "-m", "airflow", "db", "migrate"], variables)
        how_to: Any = wait_for_json(layout.sandbox_url, SECONDS_FOR_THE_SANDBOX)
        variables |= parts.connections(layout, how_to)
        if migration.wait():
            sys.exit("Airflow's database could not be prepared; migration.log says why.")
        del running[migration.pid]
        for name, command in parts.components(layout).items():
            start(name, command, variables)
        ended, _ = os.wait()
        sys.exit(f"{running[ended]} has ended, and with it all the others; {running[ended]}.log says why.")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
