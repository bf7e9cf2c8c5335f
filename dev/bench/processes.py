"""Runs the server and the contestants, each pinned to a core of its own where there are two."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from dev.bench.distance import ROUND_TRIP
from dev.bench.listings import LISTINGS
from dev.bench.s3 import BUCKET, s3_server
from dev.bench.server import Behaviour
from dev.bench.task import WARM_UP_JOBS, Figures, Task, digest_of
from dev.bench.works import PROJECT, Contestant, Entry, Outcome, Work
from tests.integration.seaweedfs import SeaweedFS

ROOT = Path(__file__).parents[2]
LONGEST_RUN = 600
WARM_UP = Behaviour(WARM_UP_JOBS).prefix


def python_of(environment: str) -> str:
    """Return the interpreter of an environment."""
    return sys.executable if environment == PROJECT else str(ROOT / ".venv-bench" / environment / "bin" / "python")


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Return a command that stays on one core."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[core]), *command] if len(cores) > 1 else [*command]


@dataclass(frozen=True)
class Servers:
    """What contestants speak to.

    :param url: of the server that serves listings
    :param s3: the S3 server, where one was asked for and is installed, as far away as stores usually are
    """

    url: str
    s3: SeaweedFS | None = None


def environment_in(folder: str) -> dict[str, str]:
    """Return the environment of a process with nothing of the caller's Airflow: no connections, no database.

    :param folder: the home of its own Airflow
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return own | {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "NO_PROXY": "127.0.0.1"}


@contextmanager
def servers(with_s3: bool = False) -> Iterator[Servers]:
    """Run what contestants speak to.

    :param with_s3: whether a work needs the S3 server
    """
    with server() as url, s3_server(pinned(1, [])) if with_s3 else nullcontext() as s3:
        if s3:
            with _started("distance", str(urlsplit(s3.url).port), str(ROUND_TRIP)) as port:
                yield Servers(url, replace(s3, url=f"http://127.0.0.1:{port}"))
        else:
            yield Servers(url)


@contextmanager
def server() -> Iterator[str]:
    """Run the server that serves listings; give its URL."""
    with _started("server") as url:
        yield url


@contextmanager
def _started(module: str, *arguments: str) -> Iterator[str]:
    """Run a module of this package on the servers' core; give the line that it says when it is ready."""
    command = pinned(1, [sys.executable, "-m", f"dev.bench.{module}", *arguments])
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def render(url: str, listing: str, jobs: int) -> None:
    """Let the server render a listing before anything is measured."""
    with urlopen(url + Behaviour(jobs).prefix + LISTINGS[listing].path) as answer:  # noqa: S310 - our own server
        answer.read()


@lru_cache
def expected(listing: str, jobs: int) -> tuple[int, str]:
    """Return how many rows an export must hold, and the digest of their ids."""
    return digest_of(LISTINGS[listing].ids(jobs))


def run(to: Servers, work: Work, entry: Entry) -> Outcome:
    """Let a contestant export once.

    :param to: the servers
    :param work: what to export
    :param entry: who, and how
    """
    jobs = work.jobs * entry.factor
    if entry.to_s3 and not to.s3:
        return Outcome(jobs, [], "SeaweedFS is not installed")
    with tempfile.TemporaryDirectory() as folder:
        task = Task(
            url=to.url,
            prefix=Behaviour(jobs, work.latency, int(work.gzip)).prefix,
            listing=work.listing,
            path=LISTINGS[work.listing].path,
            file_format=entry.file_format,
            folder=str(Path(folder, "exported")),
            jobs=jobs,
            page_size=work.page_size,
            connections=work.connections,
            rows_per_part=work.rows_per_part,
            destination=f"s3://aws_default@{BUCKET}{folder}" if entry.to_s3 else None,
        )
        answer = _ask(entry.contestant, task, folder, to.s3)
    if "error" in answer:
        return Outcome(jobs, [], str(answer["error"]))
    figures = Figures(**answer)
    if figures.rows is not None and (figures.rows, figures.digest) != expected(work.listing, jobs):
        return Outcome(jobs, [], f"exported {figures.rows} rows of {jobs}, or not the right ones")
    return Outcome(jobs, [figures])


def _ask(contestant: Contestant, task: Task, folder: str, s3: SeaweedFS | None) -> dict[str, Any]:
    python = python_of(contestant.environment)
    if not shutil.which(python):
        return {"error": f"its environment {contestant.environment} is not installed"}
    environment = environment_in(folder)
    if s3:
        environment["AIRFLOW_CONN_AWS_DEFAULT"] = s3.connection()
    try:
        ended = subprocess.run(
            pinned(0, [python, "-m", "dev.bench.task", contestant.module]),
            input=json.dumps({"task": asdict(task), "warm_up": WARM_UP}),
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            timeout=LONGEST_RUN,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {LONGEST_RUN} s"}
    try:
        answer: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return {"error": f"ended with code {ended.returncode}: {ended.stderr.strip()[-300:]}"}
    return answer


def measure(to: Servers, work: Work, rounds: int) -> dict[Entry, Outcome]:
    """Let everybody export in turn, round after round, so that what the machine does otherwise hits all alike.

    :param to: the servers
    :param work: what to export
    :param rounds: how often, if the work does not say it
    """
    render(to.url, work.listing, work.jobs * max(entry.factor for entry in work.entries))
    outcomes: dict[Entry, Outcome] = {}
    for number in range(work.rounds or rounds):
        taking_part = [entry for entry in work.entries if number < work.rounds_of(entry.contestant, rounds)]
        again = [entry for entry in taking_part if entry.contestant.is_quick] if len(work.entries) > 2 else []
        for entry in [*taking_part, *again]:
            so_far = outcomes.get(entry)
            if so_far and so_far.failure:
                continue
            outcome = run(to, work, entry)
            runs = [*(so_far.runs if so_far else []), *outcome.runs]
            outcomes[entry] = replace(outcome, runs=runs)
            _say(entry, outcomes[entry], outcome)
    return outcomes


def _say(entry: Entry, outcome: Outcome, latest: Outcome) -> None:
    what = outcome.failure or f"{latest.wall:.2f} s, {latest.cpu:.2f} s CPU, {latest.memory:.0f} MB"
    print(f"  {entry.contestant.title}, {entry.file_format}, {outcome.jobs} jobs: {what}", flush=True)


def versions(environment: str, names: Sequence[str]) -> dict[str, str]:
    """Return which versions of some distributions an environment holds."""
    code = "import json, sys\nfrom importlib import metadata\nfound = {}\nfor name in sys.argv[1:]:\n"
    code += "  try: found[name] = metadata.version(name)\n  except metadata.PackageNotFoundError: pass\n"
    python = python_of(environment)
    if not shutil.which(python):
        return {}
    asked = subprocess.run([python, "-c", f"{code}print(json.dumps(found))", *names], capture_output=True, check=True)
    found: dict[str, str] = json.loads(asked.stdout)
    return found
