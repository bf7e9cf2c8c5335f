"""Runs exports, each in a process of its own on one core, against the server on another one."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from dev.bench.batch import Batch
from dev.bench.cases import LIMIT, Case, Entry, Outcome, Outcomes
from dev.bench.measured import Export, Figures, digest_of
from dev.bench.server import Listing
from dev.paths import ROOT
from dev.processes import airflow_environment, pinned

SECONDS_FOR_A_RUN, WARM_UP_JOBS = 600, 300
PACKAGE = ROOT / "airflow_batch_provider"
IMPORTS = """
import importlib, sys, time
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator
began = time.perf_counter()
for name in sys.argv[1:]: importlib.import_module(name)
print(1000 * (time.perf_counter() - began))
"""


def _output(command: Sequence[str], home: str, stdin: str = "") -> str:
    """Run a process on one core without the caller's Airflow, and return what it prints."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment = {**own, **airflow_environment(Path(home)), "PYTHONPATH": str(ROOT)}
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": SECONDS_FOR_A_RUN, "check": True}
    return str(subprocess.run([*pinned(0), *command], input=stdin, cwd=ROOT, env=environment, **options).stdout)


def imports() -> float:
    """Return the milliseconds that importing all of the package adds to a process that has imported what DAGs do."""
    compileall.compile_dir(PACKAGE, quiet=1)  # as pip does it
    kinds = ("hooks", "operators", "sensors")
    modules = [f"{PACKAGE.name}.{kind}.{path.stem}" for kind in kinds for path in (PACKAGE / kind).glob("[a-z]*.py")]
    with tempfile.TemporaryDirectory() as home:
        return median(float(_output([sys.executable, "-c", IMPORTS, *modules], home)) for _ in range(5))


@lru_cache
def expected(listing: Listing | Batch, jobs: int) -> tuple[int, str]:
    return digest_of(listing.ids(jobs))


def run(url: str, case: Case, entry: Entry) -> Outcome:
    """Make one export and check its rows."""
    jobs, peer, listing = int(case.jobs * entry.factor), entry.peer, case.listing
    python = ROOT / ".venv-bench" / peer.environment / "bin" / "python" if peer.environment else Path(sys.executable)
    if not python.exists():
        return Outcome(jobs, [], f"its environment {peer.environment} is not installed")
    name, path, how = listing.name, listing.path, (entry.file_format, case.connections, listing.kind)
    with tempfile.TemporaryDirectory() as home:
        warm_up = Export(f"{url}/{WARM_UP_JOBS}/0", name, path, WARM_UP_JOBS, f"{home}/warm-up", *how)
        export = Export(f"{url}/{jobs}/{case.latency}", name, path, jobs, f"{home}/exported", *how)
        command = [str(python), "-m", "dev.bench.measured", peer.module]
        try:
            answer = json.loads(_output(command, home, json.dumps([warm_up, export])))
        except (subprocess.SubprocessError, ValueError) as error:
            answer = str(error)
    if isinstance(answer, str):
        return Outcome(jobs, [], answer)
    figures = Figures(*answer)
    if peer != LIMIT and (figures.rows, figures.digest) != expected(listing, jobs):
        return Outcome(jobs, [], f"exported {figures.rows} rows of {jobs}, or not the right ones")
    return Outcome(jobs, [figures])


def measure(url: str, cases: Mapping[str, Case], rounds: int) -> dict[str, Outcomes]:
    """Let everybody export in turn, round after round, so that what else the machine does hits all of them."""
    results: dict[str, Outcomes] = {}
    for key, case in cases.items():
        print(f"{key}: {case.title}, {case.jobs:,} jobs", flush=True)
        most = int(case.jobs * max(entry.factor for entry in case.entries))
        with urlopen(f"{url}/{most}/0{case.listing.path}") as page:  # noqa: S310 - our server
            page.read()  # once it answers, it has rendered all rows
        outcomes: dict[Entry, Outcome] = {}
        for entry in (each for n in range(rounds) for each in case.entries for _ in range(case.runs(each.peer, n))):
            before = outcomes.get(entry)
            if before and before.failure:
                continue
            latest = run(url, case, entry)
            outcomes[entry] = latest._replace(runs=[*(before.runs if before else []), *latest.runs])
            shown = f"FAILED: {latest.failure}" if latest.failure else f"{latest.median('wall'):.2f} s"
            print(f"  {entry.title}, {latest.jobs:,} jobs: {shown}", flush=True)
        results[key] = outcomes
    return results
