"""Real servers as processes of a test session."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SECONDS_TO_START = 60


def program(name: str, *folders: Path) -> str | None:
    """Return where a program lies, if it is installed: beside Python, in the folders, or on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), *map(str, folders), os.environ["PATH"]])
    return shutil.which(name, path=path)


@contextlib.contextmanager
def running(
    command: Sequence[str], url: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until it is not needed.

    :param command: what starts it
    :param url: where it answers
    :param folder: where it works, and its log lies
    :param environment: variables beside those of this process
    """
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
        try:
            wait_until_it_answers(url, process, folder / "log")
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """Return a port that is free on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when a server takes requests."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return  # it refuses us, so it is there
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer: {log.read_text()[-2000:]}")
