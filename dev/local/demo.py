"""Runs every DAG in ``dags/`` to success and shows what it exported.

Connections that the environment does not define (``AIRFLOW_CONN_PLAYMENT_DEFAULT`` and so on) point to a sandbox that
runs as long as the demo. The exports go to ``exports/``, Airflow's files and the log to ``.airflow/``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TextIO

from dev.paths import ROOT
from dev.processes import airflow_environment

HOME = ROOT / ".airflow"
LOG = HOME / "demo.log"
EXPORTS = ROOT / "exports"
MANIFEST = "_MANIFEST.json"
NUMBERS = ("rows", "files", "bytes", "seconds")
SECONDS_UNTIL_FINISHED = 5
"""After which every batch of the sandbox is finished."""
BATCHES = {
    "playment_wait_and_export": ("playment", "batch_id", "playment.batch_jobs", "batch_id"),
    "llamacloud_wait_and_export": ("llamacloud", "batch_id", "llamacloud.batches (parse)", "batch_id"),
    "llamacloud_batch_processing_wait_and_export": ("llamacloud", "job_id", "llamacloud.batch_processing_jobs", "id"),
    "talkifai_wait_and_export": ("talkifai", "job_id", "talkifai.batch_jobs", "batch_job_id"),
}
"""For each DAG that exports results: its connection, its parameter, and where the sandbox says a value of it."""


def main() -> int:
    started = time.time()
    HOME.mkdir(exist_ok=True)
    os.environ.update(airflow_environment(HOME))
    os.environ.setdefault("AIRFLOW_VAR_EXPORTS", EXPORTS.as_uri())
    # Airflow reads its settings when it is imported.
    from airflow_batch_provider.sandbox import Settings, serve
    from airflow_batch_provider.testing import connections

    params: dict[str, dict[str, str]] = {}
    with LOG.open("w") as log, serve(Settings(duration=SECONDS_UNTIL_FINISHED)) as sandbox:
        for name, connection in connections(sandbox).items():
            if os.environ.setdefault(name, connection) == connection:
                params.update(of_interest(sandbox.how_to["results"], name))
        print(f"Sandbox at {sandbox.url}; preparing Airflow's database in {HOME.name}/ ...", flush=True)
        airflow = [sys.executable, "-m", "airflow"]
        if subprocess.run([*airflow, "db", "migrate"], stdout=log, stderr=log, check=False).returncode:
            print(f"It failed; see {LOG}.")
            return 1
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            dags = load_dags()
        failed = [
            dag.dag_id
            for number, dag in enumerate(dags, 1)
            if not run(dag, f"{number}/{len(dags)}", params.get(dag.dag_id, {}), log)
        ]
    print_table(since=started)
    if failed:
        print(f"\nFailed: {', '.join(failed)}; see {LOG}.")
        return 1
    print(
        f"\nEach folder in exports/ contains data and a {MANIFEST} that lists it. The log is {LOG.relative_to(ROOT)}."
    )
    return 0


def load_dags() -> list[Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    if bag.import_errors:
        raise SystemExit(f"DAGs that cannot be imported: {bag.import_errors}")
    return [bag.dags[dag_id] for dag_id in sorted(bag.dags)]


def of_interest(results: Mapping[str, Any], connection: str) -> dict[str, dict[str, str]]:
    """Return parameters of the DAGs that use a connection: batches whose results have something of each kind."""
    return {
        dag_id: {name: results[listing][key]}
        for dag_id, (uses, name, listing, key) in BATCHES.items()
        if connection == f"AIRFLOW_CONN_{uses.upper()}_DEFAULT"
    }


def run(dag: Any, count: str, params: dict[str, str], log: TextIO) -> bool:
    print(f"[{count}] {dag.dag_id} ... ", end="", flush=True)
    for task in dag.tasks:
        hurry(task)
    started = time.monotonic()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        state = dag.test(run_conf=params).state
    print(f"{state} in {time.monotonic() - started:.1f} s", flush=True)
    return bool(state == "success")


def hurry(task: Any) -> None:
    """Let a task poll and be tried again as the sandbox's batches want it, which are finished in seconds."""
    for name, value in (("poke_interval", 0.5), ("retry_delay", timedelta(seconds=1))):
        if hasattr(task, name):
            setattr(task, name, value)


def print_table(since: float) -> None:
    rows = [("DAG", "exported", "rows", "outcomes", "files", "bytes", "seconds", "folder")]
    for path in sorted(EXPORTS.rglob(MANIFEST)):
        manifest = json.loads(path.read_text())
        finished = datetime.fromisoformat(manifest["finished_at"]).timestamp()
        if finished < since:
            continue
        seconds = finished - datetime.fromisoformat(manifest["started_at"]).timestamp()
        rows.append(
            (
                manifest["dag_id"],
                manifest["listing"],
                f"{manifest['rows']:,}",
                ", ".join(f"{count:,} {outcome}" for outcome, count in manifest["outcomes"].items()),
                f"{manifest['files']['count']:,}" if manifest["outcomes"] else "",
                f"{manifest['bytes'] + manifest['files']['bytes']:,}",
                f"{seconds:.2f}",
                str(path.parent.relative_to(EXPORTS)),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        cells = [
            cell.rjust(width) if rows[0][place] in NUMBERS else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
