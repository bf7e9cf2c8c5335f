"""The cluster of docker-compose.yaml, run natively: exports and calls, while workers and the triggerer are killed."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from airflow_batch_provider.export import folder_name, read_export, verify_export
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.sandbox import serve as serve_sandbox
from airflow_batch_provider.testing import connections as connections_to_sandbox
from airflow_batch_provider.testing import sandbox
from dev.chaos.results import ResultsVendor, results_vendor
from dev.cluster.airflow_api import AirflowApi
from dev.cluster.native import Cluster, running
from dev.cluster.settings import settings
from dev.paths import ROOT
from tests.unit.waiting.fake_vendor import PROCESSING_JOB, FakeVendor
from tests.vendor_server import serve

DAG_ID = "playment_pipeline"
EXPORT, VERIFY = "batch.export", "batch.verify"
WORKERS = ("worker-1", "worker-2")
HOSTILE_DAG_ID = "hostile"
HOSTILE: dict[str, dict[str, Any]] = {
    "surrogate": {"status": "failed", "error_message": "cannot read \ud83d"},
    "nul": {"status": "failed", "error_message": "a\x00b", "total_items": 2**64},
    "nul-in-a-success": {"status": "completed", "error_message": "a\x00b", "updated_at": "\x00"},
}
"""How the jobs end."""

SHARDED_DAG_ID, EXPORT_SHARD, SHARDS = "sharded", "export", 4
ITEMS, SECONDS_FOR_AN_ITEM = 2400, 0.25
"""With eight connections for each of four shards, each takes about twenty seconds."""

SUBMITTING_DAG_ID, CALL = "submitting", "call"
SUBMITTING = Settings(latency=1.5, run_seconds=60)
"""Slow enough that a worker can be killed between two requests, and the triggerer while people are called."""

BUCKET = "raw"
JOBS = 250_000
SETTINGS = {
    "SANDBOX_JOBS": str(JOBS),
    "SANDBOX_LATENCY": "0.005",
    "SANDBOX_DURATION": "90",
    "WORKER_CONCURRENCY": "2",
    "TASK_HEARTBEAT_TIMEOUT": "45",
    "RETRY_DELAY": "5",
}
# Written after each part but the last, which only the big batch has.
CHECKPOINT = re.compile(r"/pipeline/[^/]+/(?P<folder>[^/]+)/_staging/\w+/\w+-\d{5}\.checkpoint\.json$")
SHARD_CHECKPOINT = re.compile(r"/sharded/(?P<number>\d+)/_staging/\w+/\w+-\d{5}\.checkpoint\.json$")
SECONDS_FOR_THE_RUN = 600
began = time.monotonic()


def report(line: str) -> None:
    print(f"[{time.monotonic() - began:5.0f} s] {line}", flush=True)


@dataclass
class Run:
    """The run of the pipeline, and what was seen while it was watched.

    :param state: how it ended
    :param deferred: tasks that were seen in the triggerer
    :param victim: the worker that was killed
    :param killed_at: when
    :param map_index: the export that it was at
    :param staged: what lay in the bucket then
    """

    run_id: str
    day: str
    state: str = ""
    deferred: set[str] = field(default_factory=set)
    victim: str = ""
    killed_at: datetime | None = None
    map_index: int = -1
    staged: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def hostile() -> Iterator[FakeVendor]:
    """A vendor with jobs that are about to end with texts that neither Airflow's processes nor PostgreSQL can take."""
    vendor = FakeVendor(PROCESSING_JOB)
    vendor.add(*HOSTILE)
    with serve(vendor) as vendor.server:
        yield vendor


@pytest.fixture(scope="module")
def results() -> Iterator[ResultsVendor]:
    """A vendor with what a batch produced."""
    with results_vendor(SECONDS_FOR_AN_ITEM) as vendor:
        vendor.hold([""] * ITEMS)
        yield vendor


@pytest.fixture(scope="module")
def called() -> Iterator[Sandbox]:
    """A vendor that counts whom it calls."""
    with serve_sandbox(SUBMITTING) as running_sandbox:
        yield running_sandbox


@pytest.fixture(scope="module")
def cluster(
    request: pytest.FixtureRequest, hostile: FakeVendor, results: ResultsVendor, called: Sandbox
) -> Iterator[Cluster]:
    # Not pytest's own folder: the database's user must be let through to its files.
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    folder.chmod(0o755)
    failed_before = request.session.testsfailed
    try:
        with running(folder, settings() | SETTINGS, report) as started:
            connections = {
                **{
                    name: {"conn_type": "llamacloud", "host": url, "password": "the-secret-key"}
                    for name, url in (("hostile", hostile.server.url), ("sharded", results.url))
                },
                "submitting": json.loads(connections_to_sandbox(called)["AIRFLOW_CONN_TALKIFAI_DEFAULT"]),
            }
            _add_dags(started, folder / "dags", connections)
            started.up(without={"sandbox"})
            wait_for("the workers", lambda: all("ready." in started.log(name).read_text() for name in WORKERS), 600)
            # Its clock starts when the workers can wait for its batches.
            started.start("sandbox")
            yield started
    except BaseException:
        report(f"the logs are kept in {folder}")
        raise
    if request.session.testsfailed > failed_before:
        report(f"the logs are kept in {folder}")
    else:
        shutil.rmtree(folder)


def _add_dags(cluster: Cluster, dags: Path, connections: dict[str, dict[str, Any]]) -> None:
    """Add the DAGs that are no examples, with the connections that they name."""
    shutil.copytree(ROOT / "dags", dags)
    more = {"AIRFLOW__CORE__DAGS_FOLDER": str(dags)}
    for name, connection in connections.items():
        shutil.copy(Path(__file__).with_name(f"{name}_dag.py"), dags)
        more[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
    for name, service in cluster.services.items():
        if "AIRFLOW__CORE__DAGS_FOLDER" in service.environment:
            cluster.services[name] = replace(service, environment={**service.environment, **more})


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> AirflowApi:
    return AirflowApi(cluster.url("api-server", 8080), cluster.home("api-server"))


@pytest.fixture(scope="module")
def keys(cluster: Cluster) -> Callable[[], list[str]]:
    environment = cluster.environment("seaweedfs")
    client = boto3.client(
        "s3",
        endpoint_url=cluster.url("seaweedfs", 8333),
        region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    return lambda: [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def wait_for(what: str, look: Callable[[], Any], seconds: float = 120) -> Any:
    report(f"waiting for {what}")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what}: not after {seconds} s")


def test_hostile_texts_end_their_own_waits_and_leave_the_triggerer_alive(
    cluster: Cluster, api: AirflowApi, hostile: FakeVendor
) -> None:
    wait_for("Airflow to read the DAGs", lambda: HOSTILE_DAG_ID in api.dag_ids())
    api.unpause(HOSTILE_DAG_ID)
    run_id = api.start(HOSTILE_DAG_ID)

    def states() -> dict[str, str]:
        return {one["task_id"]: one["state"] for one in api.task_instances(HOSTILE_DAG_ID, run_id)}

    wait_for("the waits to be deferred", lambda: set(states().values()) == {"deferred"})
    hostile.batches = {job_id: {"id": job_id, **job} for job_id, job in HOSTILE.items()}
    wait_for("the waits to end", lambda: set(states().values()) <= {"failed", "success"})
    assert states() == {name: "success" if job["status"] == "completed" else "failed" for name, job in HOSTILE.items()}
    for name in HOSTILE:
        assert len(api.attempts(HOSTILE_DAG_ID, run_id, name, -1)) == 1
    assert "process has died" not in cluster.log("triggerer").read_text()


@pytest.fixture(scope="module")
def run(cluster: Cluster, api: AirflowApi, keys: Callable[[], list[str]]) -> Run:
    """Let the scheduler run the pipeline, and kill the worker that is in the middle of the big export."""
    wait_for("Airflow to read the DAGs", lambda: DAG_ID in api.dag_ids())
    api.unpause(DAG_ID)
    today = wait_for("the run of today", lambda: api.runs(DAG_ID))[0]
    run = Run(today["dag_run_id"], today["logical_date"][:10])

    def look() -> list[dict[str, Any]]:
        instances = api.task_instances(DAG_ID, run.run_id)
        run.deferred |= {one["task_id"] for one in instances if one["state"] == "deferred"}
        return instances

    def checkpoints() -> list[re.Match[str]]:
        look()
        return [found for key in keys() if (found := CHECKPOINT.search(key))]

    mark = wait_for("a checkpoint in the bucket", checkpoints, SECONDS_FOR_THE_RUN)[0]
    run.map_index = folders().index(mark["folder"])
    run.staged = keys()
    at_work = [one for one in look() if (one["task_id"], one["map_index"]) == (EXPORT, run.map_index)]
    assert [one["state"] for one in at_work] == ["running"]
    run.victim = at_work[0]["hostname"]
    cluster.kill(run.victim)
    run.killed_at = datetime.now(UTC)
    report(f"killed {run.victim}, which was at {EXPORT} {run.map_index}; {len(run.staged)} objects in the bucket")

    def ended() -> bool:
        look()
        run.state = api.runs(DAG_ID)[0]["state"]
        return run.state in ("success", "failed")

    wait_for("the end of the run", ended, SECONDS_FOR_THE_RUN)
    report(f"the run is a {run.state}")
    for one in api.attempts(DAG_ID, run.run_id, EXPORT, run.map_index):
        start, end = (_since(run.killed_at, one[key]) for key in ("start_date", "end_date"))
        report(f"try {one['try_number']} on {one['hostname']}: from {start} to {end} s after the kill: {one['state']}")
    return run


def folders() -> list[str]:
    """Return the folders of the run's exports, in the order of their map indexes."""
    # Equal settings serve equal ids, so another sandbox shows what there is.
    with sandbox(Settings(jobs=JOBS)):
        return [folder_name(batch["id"]) for batch in PlaymentHook().iter_batches() if not batch["is_default"]]


def _since(moment: datetime, text: str | None) -> str:
    return f"{(datetime.fromisoformat(text) - moment).total_seconds():.0f}" if text else "?"


@pytest.fixture(scope="module")
def exports(cluster: Cluster, run: Run) -> Iterator[str]:
    """The folder of the run's exports, with Airflow's connections as the workers have them."""
    environment = cluster.environment("worker-1")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name.startswith("AIRFLOW_CONN_"):
                patch.setenv(name, value)
        yield f"{environment['AIRFLOW_VAR_EXPORTS']}/playment/pipeline/{run.day}"


@pytest.fixture(scope="module")
def manifest(run: Run, exports: str) -> Manifest:
    return verify_export(f"{exports}/{folders()[run.map_index]}")


def test_the_health_checks_show_which_worker_was_killed(cluster: Cluster, run: Run) -> None:
    assert {name for name in WORKERS if not cluster.is_healthy(name)} == {run.victim}


def test_every_example_can_be_read(api: AirflowApi) -> None:
    assert api.import_errors() == []


def test_the_run_succeeds(run: Run) -> None:
    assert run.state == "success"


def test_the_wait_was_in_the_triggerer(run: Run) -> None:
    assert "wait" in run.deferred


def test_both_workers_ran_tasks(api: AirflowApi, run: Run) -> None:
    instances = api.task_instances(DAG_ID, run.run_id)
    tries = [one for task in instances for one in api.attempts(DAG_ID, run.run_id, task["task_id"], task["map_index"])]
    assert {one["hostname"] for one in tries} == set(WORKERS)


def test_the_killed_export_ends_at_its_second_try_on_the_other_worker(api: AirflowApi, run: Run) -> None:
    first, second = api.attempts(DAG_ID, run.run_id, EXPORT, run.map_index)
    assert (first["hostname"], second["state"]) == (run.victim, "success")
    assert second["hostname"] != run.victim


def test_the_second_try_resumed_where_the_first_stopped(manifest: Manifest, run: Run) -> None:
    assert manifest.resumed
    # Parts are staged under a token of each try, and copied from there.
    assert [key for key in run.staged if "/_staging/" in key]


def test_the_killed_export_contains_every_job_once(manifest: Manifest, exports: str, run: Run) -> None:
    ids = Counter(row["id"] for row in read_export(f"{exports}/{folders()[run.map_index]}"))
    # Equal settings serve equal ids, so another sandbox shows what there was.
    with sandbox(Settings(jobs=JOBS)):
        batch_id = str(manifest.params["batch_id"])
        expected = Counter(job["id"] for job in PlaymentHook().iter_batch_jobs(None, batch_id))
    assert expected.total() == JOBS
    assert ids == expected


def test_every_other_export_is_whole(exports: str, run: Run) -> None:
    manifests = [verify_export(f"{exports}/{folder}") for folder in folders()]
    assert sorted(manifest.rows for manifest in manifests) == [0, 3, 100, 101, JOBS]


def test_every_export_was_checked_by_its_own_task(api: AirflowApi, run: Run) -> None:
    checks = [one for one in api.task_instances(DAG_ID, run.run_id) if one["task_id"] == VERIFY]
    assert [one["state"] for one in checks] == ["success"] * 5


def test_nothing_is_left_of_the_killed_try(keys: Callable[[], list[str]], run: Run, manifest: Manifest) -> None:
    assert [key for key in keys() if "_staging" in key] == []


def both_workers(cluster: Cluster) -> None:
    """Start the worker again that was killed before."""
    for name in WORKERS:
        if not cluster.is_healthy(name):
            cluster.start(name)
            wait_for(f"{name} to be back", lambda name=name: cluster.is_healthy(name), 300)


@pytest.fixture(scope="module")
def sharded(cluster: Cluster, api: AirflowApi, keys: Callable[[], list[str]]) -> Run:
    """Export one batch by four tasks on two workers, and kill one of these in the middle."""
    both_workers(cluster)
    wait_for("Airflow to read the DAGs", lambda: SHARDED_DAG_ID in api.dag_ids())
    api.unpause(SHARDED_DAG_ID)
    run = Run(api.start(SHARDED_DAG_ID), "")

    def at_work() -> dict[int, str]:
        instances = api.task_instances(SHARDED_DAG_ID, run.run_id)
        return {one["map_index"]: one["hostname"] for one in instances if one["state"] == "running"}

    def checkpoints() -> set[int]:
        return {int(found["number"]) for key in keys() if (found := SHARD_CHECKPOINT.search(key))}

    def in_the_middle() -> list[int]:
        both = at_work()
        return sorted(checkpoints() & both.keys()) if set(both.values()) == set(WORKERS) else []

    run.map_index = wait_for("a checkpoint of a shard", in_the_middle, SECONDS_FOR_THE_RUN)[0]
    run.victim = at_work()[run.map_index]
    cluster.kill(run.victim)
    run.killed_at = datetime.now(UTC)
    report(f"killed {run.victim}, which was at shard {run.map_index}")

    def ended() -> bool:
        run.state = api.runs(SHARDED_DAG_ID)[0]["state"]
        return run.state in ("success", "failed")

    wait_for("the end of the shards", ended, SECONDS_FOR_THE_RUN)
    return run


def test_shards_of_a_batch_are_together_the_batch_although_a_worker_is_killed(
    cluster: Cluster, api: AirflowApi, results: ResultsVendor, sharded: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sharded.state == "success"
    attempts = {number: api.attempts(SHARDED_DAG_ID, sharded.run_id, EXPORT_SHARD, number) for number in range(SHARDS)}
    first, *_, last = attempts[sharded.map_index]
    assert (first["hostname"], last["state"]) == (sharded.victim, "success")
    assert last["hostname"] != sharded.victim
    environment = cluster.environment("worker-1")
    for name, value in environment.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    folder = f"{environment['AIRFLOW_VAR_EXPORTS']}/sharded"
    manifests = [verify_export(f"{folder}/{number}") for number in range(SHARDS)]
    assert [manifest.params["shard"] for manifest in manifests] == [
        f"{number + 1}/{SHARDS}" for number in range(SHARDS)
    ]
    assert manifests[sharded.map_index].resumed
    assert sum(manifest.outcomes["ok"] for manifest in manifests) == ITEMS
    ids = Counter(row["id"] for number in range(SHARDS) for row in read_export(f"{folder}/{number}"))
    assert ids == Counter(results.ids(ITEMS, ""))
    report(f"{results.again} of {ITEMS} items were fetched again")
    assert results.again < ITEMS / SHARDS


def test_people_are_called_once_although_worker_and_triggerer_are_killed(
    cluster: Cluster, api: AirflowApi, called: Sandbox, sharded: Run
) -> None:
    both_workers(cluster)
    wait_for("Airflow to read the DAGs", lambda: SUBMITTING_DAG_ID in api.dag_ids())
    api.unpause(SUBMITTING_DAG_ID)
    run_id = api.start(SUBMITTING_DAG_ID)

    def count(name: str) -> int:
        return int(called.journal.as_json()["talkifai"][name]["total"])

    def calling() -> dict[str, Any]:
        return next(one for one in api.task_instances(SUBMITTING_DAG_ID, run_id) if one["task_id"] == CALL)

    wait_for("the job to be created", lambda: count("batches"), SECONDS_FOR_THE_RUN)
    victim = calling()["hostname"]
    cluster.kill(victim)
    assert count("starts") == 0
    report(f"killed {victim} between the creation of the job and its start")
    wait_for("the task to be deferred", lambda: calling()["state"] == "deferred", SECONDS_FOR_THE_RUN)
    assert count("calls") > 0
    cluster.kill("triggerer")
    report("killed the triggerer")
    cluster.start("triggerer")
    wait_for(
        "the end of the run",
        lambda: api.runs(SUBMITTING_DAG_ID)[0]["state"] in ("success", "failed"),
        SECONDS_FOR_THE_RUN,
    )
    assert api.runs(SUBMITTING_DAG_ID)[0]["state"] == "success"
    tries = api.attempts(SUBMITTING_DAG_ID, run_id, CALL, -1)
    assert [one["state"] for one in tries] == ["failed", "success"]
    journal = called.journal.as_json()["talkifai"]
    assert {name: journal[name]["total"] for name in ("batches", "starts", "cancels")} == {
        "batches": 1,
        "starts": 1,
        "cancels": 0,
    }
    report(f"{journal['batches']['total']} job, {journal['calls']['total']} calls")


def test_no_secret_is_in_a_log(cluster: Cluster, run: Run) -> None:
    environment = cluster.environment("worker-1")
    secrets = [
        json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])["password"],
        environment["AIRFLOW__CORE__FERNET_KEY"],
    ]
    logs = [path for path in cluster.folder.rglob("*.log") if path.is_file()]
    assert len(logs) > len(cluster.services)
    assert [path for path in logs for secret in secrets if secret in path.read_text(errors="replace")] == []
