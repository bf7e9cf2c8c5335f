"""Runs the services of docker-compose.yaml as processes of this machine, with Debian's and PyPI's programs.

Unlike an engine, it does not start a service again that ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from dev.cluster.compose import Service, ports, read, services
from dev.paths import ROOT
from dev.processes import members
from tests.integration.seaweedfs import free_ports

SECONDS_TO_START = 600
SECONDS_BETWEEN_CHECKS = 1
SECONDS_FOR_A_CHECK = 120
POSTGRES_USER = "postgres"

# A container engine gives each container its own network; here, services must not open further ports.
ARGUMENTS = {
    "redis": ["--bind", "127.0.0.1"],
    "postgres": ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="],
    "scheduler": ["--skip-serve-logs"],
    "triggerer": ["--skip-serve-logs"],
    "worker-1": ["--skip-serve-logs"],
    "worker-2": ["--skip-serve-logs"],
}


class Cluster:
    """The services of the file.

    :param folder: what their data, homes and logs lie below
    :param settings: the file's variables
    :param report: takes a line about the progress
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], report: Callable[[str], None]) -> None:
        self.folder = folder
        self._report = report
        document = read(settings)
        self.services = services(document, _free(ports(document)), folder / "volumes")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._healthy: set[str] = set()

    def up(self, without: Collection[str] = ()) -> None:
        """Start services in the order of their dependencies, and return when they are healthy; tasks queue for workers.

        :param without: services to leave out
        """
        for name in self.services:
            if name not in without:
                self.start(name)
        for name in self._processes:
            if not self.services[name].checks_slowly:
                self._await(name)

    def start(self, name: str) -> None:
        """Start a service, and the services it depends on before it."""
        if name in self._processes:
            return
        service = self.services[name]
        for other in service.depends_on:
            self.start(other)
            self._await(other)
        self._processes[name] = self._run(service)

    def kill(self, name: str) -> None:
        """End all processes of a service at once, as ``docker kill`` does."""
        process = self._processes.pop(name)
        while pids := list(members(process.pid)):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.poll()  # a process that nobody has waited for stays in its session
            time.sleep(0.02)

    def down(self) -> None:
        """End everything; the database last, and properly: a kill would leave its shared memory behind."""
        for name in [name for name in self._processes if name != "postgres"]:
            self.kill(name)
        if "postgres" in self._processes:
            self._processes["postgres"].send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._processes["postgres"].wait(20)
            self.kill("postgres")

    def url(self, name: str, port: int) -> str:
        """Return where a port of a service is reached over HTTP."""
        return f"http://127.0.0.1:{self.services[name].ports[str(port)]}"

    def home(self, name: str) -> Path:
        """Return the folder that a service works in."""
        return self.folder / name

    def log(self, name: str) -> Path:
        """Return the file with a service's output."""
        return self.folder / "logs" / f"{name}.log"

    def environment(self, name: str) -> dict[str, str]:
        """Return all variables that a service sees."""
        service = self.services[name]
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
        # Debian keeps the database's programs out of everybody's path.
        database = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        programs = [str(Path(sys.executable).parent), *map(str, database), os.environ["PATH"]]
        return {
            **kept,
            "PATH": os.pathsep.join(programs),
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
            "HOSTNAME": name,
            "AIRFLOW_HOME": str(self.home(name)),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "dev.cluster.hostname.hostname",
            **service.environment,
        }

    def _run(self, service: Service) -> subprocess.Popen[bytes]:
        self._report(f"starting {service.name}")
        for folder in (self.home(service.name), self.log(service.name).parent, *service.folders):
            folder.mkdir(parents=True, exist_ok=True)
        user = POSTGRES_USER if service.image == "postgres" and os.geteuid() == 0 else None
        if service.image == "postgres" and not any(Path(service.environment["PGDATA"]).iterdir()):
            self._initialise(service, user)
        return self._process(service, [*service.command, *ARGUMENTS.get(service.name, [])], user)

    def _process(self, service: Service, command: Sequence[str], user: str | None) -> subprocess.Popen[bytes]:
        with self.log(service.name).open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._surroundings(service, user),
            )

    def _initialise(self, service: Service, user: str | None) -> None:
        """Do what the image does when it starts first: make the database and its owner."""
        variables = service.environment
        password = self.folder / "postgres.password"
        password.write_text(variables["POSTGRES_PASSWORD"])
        for path in (password, *service.folders):
            if user:
                os.chown(path, *_ids(user))
            path.chmod(0o700)
        make = ["initdb", "--username", variables["POSTGRES_USER"], "--pwfile", str(password)]
        single = ["postgres", "--single", "postgres"]
        statement = f'CREATE DATABASE "{variables["POSTGRES_DB"]}"\n'
        access = ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"]
        self._finish(service, [*make, *access], user, "")
        self._finish(service, single, user, statement)

    def _finish(self, service: Service, command: Sequence[str], user: str | None, stdin: str) -> None:
        with self.log(service.name).open("ab") as log:
            subprocess.run(
                command,
                input=stdin.encode(),
                stdout=log,
                stderr=log,
                check=True,
                timeout=SECONDS_TO_START,
                **self._surroundings(service, user),
            )

    def _surroundings(self, service: Service, user: str | None = None) -> dict[str, Any]:
        """Return what each program of a service is started with."""
        return {
            "cwd": self.home(service.name),
            "env": self.environment(service.name),
            "user": user,
            "group": user,
            "extra_groups": [] if user else None,
        }

    def _await(self, name: str) -> None:
        """Return when a service is healthy, or has completed."""
        service, process = self.services[name], self._processes[name]
        deadline = time.monotonic() + SECONDS_TO_START
        while name not in self._healthy:
            code = process.poll()
            if code is not None and not (service.ends and code == 0):
                raise RuntimeError(f"{name} ended with code {code}: {self.tail(name)}")
            if code == 0 or (service.health and self.is_healthy(name)):
                self._report(f"{name} is {'done' if service.ends else 'healthy'}")
                self._healthy.add(name)
            elif time.monotonic() > deadline:
                raise RuntimeError(f"{name} is not healthy after {SECONDS_TO_START} s: {self.tail(name)}")
            else:
                time.sleep(SECONDS_BETWEEN_CHECKS)

    def is_healthy(self, name: str) -> bool:
        """Run the file's health check of a service."""
        with (self.folder / "logs" / f"{name}.health.log").open("ab") as log:
            try:
                checked = subprocess.run(
                    self.services[name].health or ("true",),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=False,
                    timeout=SECONDS_FOR_A_CHECK,
                    **self._surroundings(self.services[name]),
                )
            except subprocess.TimeoutExpired:
                return False
        return checked.returncode == 0

    def tail(self, name: str) -> str:
        """Return the end of a service's log."""
        return self.log(name).read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def running(folder: Path, settings: Mapping[str, str], report: Callable[[str], None]) -> Iterator[Cluster]:
    """Give a cluster of which nothing is left running afterwards; parameters as of :class:`Cluster`."""
    cluster = Cluster(folder, settings, report)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield cluster
    finally:
        cluster.down()
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt  # by itself, the signal would end this process and leave the services


def _free(wanted: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
    free = iter(free_ports(sum(map(len, wanted.values()))))
    return {name: {port: next(free) for port in own} for name, own in wanted.items()}


def _ids(user: str) -> tuple[int, int]:
    import pwd

    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid
