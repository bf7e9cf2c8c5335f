"""SeaweedFS, a real S3 server, for the time of a test session."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration import processes
from tests.integration.processes import running

ACCESS_KEY, SECRET_KEY = "testkey", "testsecret"
READER_KEY = "testreader"


@dataclass(frozen=True)
class SeaweedFS:
    """
    A running server.

    :param url: its S3 endpoint
    """

    url: str

    def connection(self, secret_key: str = SECRET_KEY) -> str:
        """Return an Airflow connection to it."""
        extra = {"endpoint_url": self.url, "region_name": "us-east-1"}
        return json.dumps({"conn_type": "aws", "login": ACCESS_KEY, "password": secret_key, "extra": extra})


def program() -> str | None:
    """Return where the server's program lies, if it is installed."""
    return processes.program("weed")


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[SeaweedFS]:
    """Run the server on free ports of 127.0.0.1.

    :param folder: what its data lies below
    """
    executable = program()
    assert executable
    master, volume, filer, s3 = free_ports(4)
    (folder / "data").mkdir()
    config = folder / "s3.json"
    identity = {
        "name": "admin",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    reader = {
        "name": "reader",
        "credentials": [{"accessKey": READER_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Read", "List"],
    }
    config.write_text(json.dumps({"identities": [identity, reader]}))
    options = {
        "dir": folder / "data",
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 20,
        "volume.port": volume,
        "volume.preStopSeconds": 0,
        "filer.port": filer,
        "s3.port": s3,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": config,
    }
    command = [executable, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]
    server = SeaweedFS(f"http://127.0.0.1:{s3}")
    with running(command, server.url, folder):
        yield server


def free_ports(count: int) -> list[int]:
    """Return ports that are free, and whose gRPC twins 10,000 above are free too."""
    ports: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            low = stack.enter_context(socket.socket())
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            twin = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError, OverflowError):
                twin.bind(("127.0.0.1", port + 10_000))
                ports.append(port)
    return ports
