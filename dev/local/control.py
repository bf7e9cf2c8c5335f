"""Starts a local Airflow, finds one that runs, and stops it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from dev.local.health import is_ready
from dev.local.layout import PASSWORD, USER, Layout, environment
from dev.paths import ROOT
from dev.processes import members, wait_until

SECONDS_TO_START = 600  # a busy machine may take long
SECONDS_TO_END = 30
SECONDS_TO_DIE = 10
SANDBOX_PORT, EXPORTS_PORT = 8800, 8801


def up(folder: Path, port: int) -> None:
    """Start it unless it runs, and return when it is ready.

    :param folder: for all its files
    :param port: of the UI; another one is taken if it is in use
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        process = _start(folder, port, lock.fileno()) if _take(lock.fileno()) else None
    _, layout = _state(folder)
    print("Starting Airflow (a minute) ..." if process else "It runs already.", flush=True)
    ready = wait_until(lambda: has_ended(process) or is_ready(layout), SECONDS_TO_START)
    if has_ended(process) or not ready:
        message = (layout.logs / "supervisor.log").read_text().strip()
        down(folder)
        sys.exit(f"It did not start. {message}\nThe logs are in {layout.logs}")
    if layout.airflow_port != port:
        print(f"(Port {port} was in use by something else.)")
    print(
        f"\n  Airflow   {layout.airflow_url}   log in as {USER} with password {PASSWORD}"
        f"\n  Batches   {layout.batches_url}   shows waits, exports and failures"
        f"\n  sandbox   {layout.sandbox_url}   shows the keys of its three vendors"
        f"\n  exports   {layout.exports_url}   lists the files in {layout.exports}"
        f"\n  logs      {layout.logs}"
        "\n\nmake down stops all of it."
    )


def down(folder: Path) -> None:
    """Stop it and everything that it started.

    :param folder: its files, which stay
    """
    if not (folder / "lock").exists():
        print("Nothing runs.")
        return
    with (folder / "lock").open("a") as lock:
        if _take(lock.fileno()):
            print("Nothing runs.")
            return
        session, _ = _state(folder)

        def is_over() -> bool:
            return _take(lock.fileno()) and not list(members(session))

        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGTERM)
        if not wait_until(is_over, SECONDS_TO_END):
            # Airflow gives each task a process group of its own, so not everything is in the group.
            for process in members(session):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            if not wait_until(is_over, SECONDS_TO_DIE):
                sys.exit(f"Processes of session {session} are still there.")
    print("Stopped.")


def has_ended(process: subprocess.Popen[bytes] | None) -> bool:
    """Return whether a process of ours has ended."""
    return process is not None and process.poll() is not None


def _start(folder: Path, port: int, lock: int) -> subprocess.Popen[bytes]:
    layout = Layout(folder, *(_port(wanted) for wanted in (port, SANDBOX_PORT, EXPORTS_PORT)))
    layout.exports.mkdir(exist_ok=True)
    layout.logs.mkdir(exist_ok=True)
    ports = [layout.airflow_port, layout.sandbox_port, layout.exports_port]
    with (layout.logs / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dev.local", "serve", str(folder), str(lock), *map(str, ports)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env=environment(layout),
            start_new_session=True,
            pass_fds=[lock],
        )
    (folder / "state.json").write_text(json.dumps({"session": process.pid, "ports": ports}) + "\n")
    return process


def _state(folder: Path) -> tuple[int, Layout]:
    """Return the session of the running Airflow, and its layout."""
    state = json.loads((folder / "state.json").read_text())
    return state["session"], Layout(folder, *state["ports"])


def _take(lock: int) -> bool:
    """Return whether the lock could be taken; it is held as long as any component lives."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _port(wanted: int) -> int:
    """Return the port if it is free, else one that is."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as listener:
            return int(listener.getsockname()[1])
    raise OSError("no port of 127.0.0.1 is free")
