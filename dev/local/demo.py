"""Runs every DAG in ``dags/`` to success and shows what it exported.

Connections that the environment does not define (``AIRFLOW_CONN_PLAYMENT_DEFAULT`` and so on) lead to a sandbox that
runs as long as the demo. The exports lie below ``exports/``, Airflow's own files and the log below ``.airflow/``.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".airflow"
LOG = HOME / "demo.log"
EXPORTS = ROOT / "exports"
MANIFEST = "_MANIFEST.json"


def main() -> int:
    started = time.time()
    HOME.mkdir(exist_ok=True)
    os.environ.update(
        AIRFLOW_HOME=str(HOME),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
        NO_PROXY="127.0.0.1",
    )
    os.environ.setdefault("AIRFLOW_VAR_EXPORTS", EXPORTS.as_uri())
    with LOG.open("w") as log, sandbox(log) as url:
        connect(url)
        print(f"Sandbox at {url}; preparing Airflow's database in {HOME.name}/ ...", flush=True)
        airflow = [sys.executable, "-m", "airflow"]
        if subprocess.run([*airflow, "db", "migrate"], stdout=log, stderr=log, check=False).returncode:
            print(f"It failed; {LOG} says why.")
            return 1
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            dags = load_dags()
        failed = [dag.dag_id for number, dag in enumerate(dags, 1) if not run(dag, f"{number}/{len(dags)}", log)]
    print_table(since=started)
    if failed:
        print(f"\nFailed: {', '.join(failed)}; {LOG} says why.")
        return 1
    print(f"\nEach folder holds the parts and their {MANIFEST}; the log is {LOG.relative_to(ROOT)}.")
    return 0


@contextlib.contextmanager
def sandbox(log: TextIO) -> Iterator[str]:
    command = [sys.executable, "-m", "airflow_batch_provider.sandbox", "--port", "0", "--duration", "5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    try:
        line = process.stdout.readline()
        if "http://" not in line:
            raise SystemExit(f"The sandbox did not start; {LOG} says why.")
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait()


def connect(url: str) -> None:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own sandbox
        how_to = json.load(answer)
    for vendor in ("playment", "llamacloud", "talkifai"):
        facts = how_to[vendor]
        extra = {name: facts[name] for name in ("project_id", "organization_id") if name in facts}
        connection = {"conn_type": vendor, "host": url, "password": facts["api_key"], "extra": extra}
        os.environ.setdefault(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", json.dumps(connection))


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
    rows = [("DAG", "listing", "rows", "parts", "bytes", "seconds", "where")]
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
