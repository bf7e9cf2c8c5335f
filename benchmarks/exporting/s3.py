"""Runs SeaweedFS, a real S3 server, on the server's core."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY, SECRET_KEY = "benchmark", "not-secret"
BUCKET = "raw"
SECONDS_TO_START = 60


@dataclass(frozen=True)
class S3:
    """A running server with one bucket.

    :param url: its endpoint
    """

    url: str

    @property
    def connection(self) -> str:
        """The Airflow connection to it."""
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": extra})


def program() -> str | None:
    """Return where the server's program lies, if it is installed."""
    return shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


def _free_ports(count: int) -> Sequence[int]:
    """Return ports that are free, and whose twins 10,000 above, for gRPC, are free too."""
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            low, twin = (stack.enter_context(socket.socket()) for _ in range(2))
            low.bind(("127.0.0.1", 0))
            port = int(low.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                twin.bind(("127.0.0.1", port + 10_000))
                ports.append(port)
    return ports


def _command(executable: str, folder: Path, ports: Sequence[int]) -> list[str]:
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    master, volume, filer, s3 = ports
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.max": 20,
        "volume.port": volume,
        "volume.preStopSeconds": 0,
        "filer.port": filer,
        "s3.port": s3,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": folder / "s3.json",
    }
    return [executable, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]


@contextlib.contextmanager
def s3_server(prefix: Sequence[str]) -> Iterator[S3 | None]:
    """Run the server with an empty bucket; give None where its program is not installed.

    :param prefix: what to put before the command, to pin it
    """
    executable = program()
    if executable is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        folder, ports = Path(name), _free_ports(4)
        command = [*prefix, *_command(executable, folder, ports)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
        try:
            server = S3(f"http://127.0.0.1:{ports[-1]}")
            _wait_until_it_answers(server.url, process, folder / "log")
            _create_bucket(server)
            yield server
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _create_bucket(server: S3) -> None:
    import boto3

    keys = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}
    boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys).create_bucket(Bucket=BUCKET)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)  # noqa: S310 - our own server
        except urllib.error.HTTPError:
            return  # it refuses who has no key, so it is there
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"SeaweedFS did not start: {log.read_text()[-2000:]}")
