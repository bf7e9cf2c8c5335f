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
from datetime import datetime
from typing import Any, TextIO

from dev.paths import ROOT
from dev.processes import airflow_environment

HOME = ROOT / ".airflow"
LOG = HOME / "demo.log"
EXPORTS = ROOT / "exports"
MANIFEST = "_MANIFEST.json"
SECONDS_UNTIL_FINISHED = 5
"""After which every batch of the sandbox is finished."""


def main() -> int:
    started = time.time()
    HOME.mkdir(exist_ok=True)
    os.environ.update(airflow_environment(HOME))
    os.environ.setdefault("AIRFLOW_VAR_EXPORTS", EXPORTS.as_uri())
    # Airflow reads its settings when it is imported.
    from airflow_batch_provider.sandbox import Settings, serve
    from airflow_batch_provider.testing import connections

    with LOG.open("w") as log, serve(Settings(duration=SECONDS_UNTIL_FINISHED)) as sandbox:
        for name, connection in connections(sandbox).items():
            os.environ.setdefault(name, connection)
        print(f"Sandbox at {sandbox.url}; preparing Airflow's database in {HOME.name}/ ...", flush=True)
        airflow = [sys.executable, "-m", "airflow"]
        if subprocess.run([*airflow, "db", "migrate"], stdout=log, stderr=log, check=False).returncode:
            print(f"It failed; see {LOG}.")
            return 1
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            dags = load_dags()
        failed = [dag.dag_id for number, dag in enumerate(dags, 1) if not run(dag, f"{number}/{len(dags)}", log)]
    print_table(since=started)
    if failed:
        print(f"\nFailed: {', '.join(failed)}; see {LOG}.")
        return 1
    print(f"\nEach folder contains the parts and their {MANIFEST}; the log is {LOG.relative_to(ROOT)}.")
    return 0


def load_dags() -> list[Any]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(ROOT / "dags"))
    if bag.import_errors:
        raise SystemExit(f"DAGs that cannot be imported: {bag.import_errors}")
    return [bag.dags[dag_id] for dag_id in sorted(bag.dags)]


def run(dag: Any, count: str, log: TextIO) -> bool:
    print(f"[{count}] {dag.dag_id} ... ", end="", flush=True)
    started = time.monotonic()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        state = dag.test().state
    print(f"{state} in {time.monotonic() - started:.1f} s", flush=True)
    return bool(state == "success")


def print_table(since: float) -> None:
    rows = [("DAG", "listing", "rows", "parts", "bytes", "seconds", "folder")]
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
                str(len(manifest["parts"])),
                f"{manifest['bytes']:,}",
                f"{seconds:.2f}",
                str(path.parent.relative_to(ROOT)),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        cells = [
            cell.rjust(width) if 2 <= place <= 5 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
