"""A vendor of another package: one small file is all it takes, and nothing here has heard of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from airflow.sdk import Connection
from pytest_mock import MockerFixture

from airflow_batch_provider.exceptions import (
    AuthenticationError,
    BatchFailedError,
    BatchProviderError,
    BatchUnfinishedError,
    ConnectionSettingsError,
    InvalidParameterError,
    NotFoundError,
    PaymentRequiredError,
    RequestRefusedError,
    TransientError,
)
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger
from tests.airflow_versions import hooks_from_the_task_sdk
from tests.fourth_vendor.acme import JOB
from tests.fourth_vendor.operators import (
    AcmeExportJobsOperator,
    AcmeExportTranscriptsOperator,
    AcmeHook,
    AcmeJobSensor,
    AcmeRunJobOperator,
)
from tests.fourth_vendor.provider_info import get_provider_info
from tests.fourth_vendor.server import (
    GARBLED,
    GONE,
    KEY,
    RECORDINGS,
    SIGNATURE,
    Acme,
    connection,
    fault,
    job,
    serving,
    text_of,
    words,
)
from tests.unit.export.exported import manifest_of
from tests.unit.test_imports import AIRFLOW, HEAVY, OWN, modules_after
from tests.vendor_server import Answer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/fourth_vendor"
FILES = [FOLDER / f"{name}.py" for name in ("acme", "results", "submission", "operators", "provider_info")]


@pytest.fixture
def acme() -> Iterator[Acme]:
    with serving() as running:
        yield running


def test_it_takes_fewer_than_270_lines() -> None:
    assert sum(len(path.read_text().splitlines()) for path in FILES[:4]) < 270


def test_no_other_file_of_ours_knows_it() -> None:
    sources = [*ROOT.glob("airflow_batch_provider/**/*.py"), *ROOT.glob("tests/conftest.py")]
    assert sources
    assert not [path for path in sources if "acme" in path.read_text().casefold()]


def test_parsing_a_dag_with_it_imports_no_heavy_library() -> None:
    added = modules_after(f"{AIRFLOW}\nimport tests.fourth_vendor.operators") - modules_after(AIRFLOW)
    assert "airflow_batch_provider.sensors.batch" in added
    assert not {name.partition(".")[0] for name in added} & HEAVY
    assert not added & OWN


def test_the_hook_lists_every_job_unchanged_over_several_pages(acme: Acme) -> None:
    assert list(AcmeHook().iter_jobs()) == list(acme.jobs.values())
    assert [asked.query.get("after") for asked in acme.server.asked] == [None, "job 39", "job 79"]


def test_a_team_that_the_task_names_goes_before_that_of_the_connection(acme: Acme) -> None:
    with pytest.raises(NotFoundError, match="HTTP 404, code no_such_team"):
        list(AcmeHook().iter_jobs("other"))


def test_a_team_that_nobody_names_is_asked_for(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", connection(acme.server.url, max_attempts=2))
    with pytest.raises(InvalidParameterError, match=r"acme.jobs: team_id is missing"):
        AcmeHook().iter_jobs()


def test_its_connections_know_its_extras_and_those_of_all(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", connection(acme.server.url, project_id="p"))
    with pytest.raises(
        ConnectionSettingsError, match=r"'project_id'; a connection of type Acme.* takes .*read_timeout.*team_id"
    ):
        AcmeHook().iter_jobs()


REFUSALS: dict[str, tuple[Answer, type[BatchProviderError], str]] = {
    "by status": (fault(401, "unknown_key"), AuthenticationError, "HTTP 401, code unknown_key: Acme says no"),
    "by word": (fault(409, "no_minutes_left"), PaymentRequiredError, "code no_minutes_left: Acme says no"),
    "another word": (fault(409, "busy"), RequestRefusedError, "HTTP 409, code busy: Acme says no"),
    "of a gateway": (Answer(403, b'{"message":"Forbidden"}'), AuthenticationError, "HTTP 403: Forbidden"),
    "no fault in it": (Answer(422, b'{"fault":"odd"}'), RequestRefusedError, "HTTP 422: no message"),
    "odd fault": (Answer(422, b'{"fault":{"word":[1],"text":{}}}'), RequestRefusedError, "HTTP 422: no message"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_read_by_its_error_reader(case: str, acme: Acme) -> None:
    answer, error, message = REFUSALS[case]
    acme.answers = [answer]
    with pytest.raises(error, match=message) as raised:
        list(AcmeHook().iter_jobs())
    assert type(raised.value) is error
    assert raised.value.vendor == "acme"
    assert len(acme.server.asked) == 1


def test_a_fault_that_its_word_tells_to_pass_is_overcome(acme: Acme, pauses: list[float]) -> None:
    acme.answers = [fault(409, "warming_up")] * 2
    assert len(list(AcmeHook().iter_jobs())) == len(acme.jobs)
    assert len(pauses) == 2


def test_a_fault_that_does_not_pass_is_transient(acme: Acme, pauses: list[float]) -> None:
    acme.answers = [fault(409, "warming_up")] * 6
    with pytest.raises(TransientError, match="code warming_up"):
        list(AcmeHook().iter_jobs())


def test_its_connection_is_tested_by_one_request(acme: Acme) -> None:
    assert AcmeHook().test_connection() == (True, "Acme Transcription answered and accepted the API key.")
    assert len(acme.server.asked) == 1


def test_a_wrong_key_is_told_apart_and_not_repeated(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_DEFAULT", connection(acme.server.url, key="wrong-key", team_id="t/1"))
    worked, message = AcmeHook().test_connection()
    assert not worked
    assert "API key (password) of this connection" in message
    assert "wrong-key" not in message


@hooks_from_the_task_sdk
def test_airflow_makes_its_hook_of_a_connection(acme: Acme, mocker: MockerFixture) -> None:
    """As the form's test button does, once the package tells Airflow of its connection type."""
    from airflow.providers_manager import HookInfo
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    form = get_provider_info()["connection-types"][0]
    info = HookInfo(form["hook-class-name"], AcmeHook.conn_name_attr, "acme", AcmeHook.hook_name, "acme", True)
    mocker.patch.object(ProvidersManagerTaskRuntime, "hooks", {form["connection-type"]: info})
    hook = Connection.get("acme_default").get_hook()
    assert hook.test_connection()[0]


def test_the_sensor_succeeds_on_its_word_for_success(acme: Acme) -> None:
    acme.typed_at = 5
    result = AcmeJobSensor(task_id="wait", job_id="job 7", poke_interval=0.01).execute({})
    assert (result["id"], result["status"], result["outcome"]) == ("job 7", "typed", "succeeded")
    assert len(acme.server.asked) > 5


def test_the_sensor_fails_on_its_word_for_failure(acme: Acme) -> None:
    acme.jobs["job 7"]["status"] = "garbled"
    with pytest.raises(BatchFailedError, match="job 7 has status 'garbled'"):
        AcmeJobSensor(task_id="wait", job_id="job 7").execute({})


def test_the_sensor_waits_on_a_word_that_it_does_not_know(acme: Acme) -> None:
    acme.jobs["job 7"]["status"] = "completed"
    assert AcmeJobSensor(task_id="wait", job_id="job 7").poke({}) is False


def deferred(sensor: AcmeJobSensor) -> tuple[str, dict[str, Any]]:
    """Return the trigger as Airflow stores it."""
    with pytest.raises(TaskDeferred) as signal:
        sensor.execute({})
    path, kwargs = signal.value.trigger.serialize()
    return path, json.loads(json.dumps(kwargs))


REVIVE = """
import asyncio, json, sys
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
async def first():
    async for event in BatchStatusTrigger(**json.loads(sys.argv[1])).run():
        return event.payload
print(json.dumps(asyncio.run(first())))
"""


def test_a_triggerer_finds_its_kind_by_import_path_alone(acme: Acme, tmp_path: Path) -> None:
    """In a process of its own, and from a package of another name: nothing was registered anywhere."""
    (tmp_path / "acme_airflow").mkdir()
    for name in ("acme.py", "results.py", "submission.py", "operators.py"):
        text = (FOLDER / name).read_text().replace("tests.fourth_vendor.acme", "acme_airflow.batches")
        own_name = "batches.py" if name == "acme.py" else name
        (tmp_path / "acme_airflow" / own_name).write_text(text.replace("tests.fourth_vendor", "acme_airflow"))
    path, kwargs = deferred(AcmeJobSensor(task_id="wait", job_id="job 7", deferrable=True, poke_interval=0.01))
    assert path == "airflow_batch_provider.triggers.batch.BatchStatusTrigger"
    assert kwargs["kind"] == "tests.fourth_vendor.acme.JOB"
    acme.typed_at = 8
    moved = json.dumps({**kwargs, "kind": "acme_airflow.batches.JOB"})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    command = [sys.executable, "-c", REVIVE, moved]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
    event = json.loads(done.stdout.splitlines()[-1])
    assert (event["error"], event["state"]["status"]) == (None, "typed")
    sensor = AcmeJobSensor(task_id="wait", job_id="job 7", deferrable=True)
    assert sensor.execute_complete({}, event)["id"] == "job 7"


def test_a_watcher_fires_for_its_jobs(acme: Acme) -> None:
    acme.jobs["job 7"]["status"] = "typed"
    acme.jobs["job 8"]["status"] = "garbled"
    trigger = BatchFinishedEventTrigger(kind=JOB.name, connection_id="acme_default")
    _, kwargs = trigger.serialize()
    assert kwargs["kind"] == "tests.fourth_vendor.acme.JOB"

    async def look() -> list[tuple[str, dict[str, Any]]]:
        return await anext(BatchFinishedEventTrigger.open_shared_stream(kwargs))

    assert [(batch_id, state["outcome"]) for batch_id, state in asyncio.run(look())] == [
        ("job 7", "succeeded"),
        ("job 8", "failed"),
    ]


def export(folder: Path, **parameters: Any) -> dict[str, Any]:
    return AcmeExportJobsOperator(task_id="export", destination=folder.as_uri(), **parameters).execute({})


def test_the_export_publishes_every_job_unchanged(acme: Acme, tmp_path: Path) -> None:
    acme.jobs["job 7"]["status"] = "typed"
    assert export(tmp_path, rows_per_part=30)["rows"] == 100
    verify_export(tmp_path.as_uri())
    assert list(read_export(tmp_path.as_uri())) == list(acme.jobs.values())
    manifest = manifest_of(tmp_path)
    assert (manifest["listing"], manifest["params"]) == ("acme.jobs", {"team_id": "t/1"})
    assert manifest["status_counts"] == {"typed": 1, "typing": 99}


def test_a_parquet_export_has_its_columns(acme: Acme, tmp_path: Path) -> None:
    export(tmp_path, file_format="parquet")
    (part,) = manifest_of(tmp_path)["parts"]
    table = pyarrow.parquet.read_table(tmp_path / part["path"])
    assert {name: str(table.schema.field(name).type) for name in table.column_names} == {
        "id": "string",
        "status": "string",
        "minutes": "int64",
        "uploaded_at": "timestamp[us, tz=UTC]",
        "_extra": "string",
    }
    assert table["id"].to_pylist() == list(acme.jobs)
    assert table["minutes"].to_pylist() == list(range(100))
    assert json.loads(table["_extra"][0].as_py()) == {"speakers": job(0, "typing")["speakers"]}


def export_transcripts(folder: Path, **parameters: Any) -> dict[str, Any]:
    operator = AcmeExportTranscriptsOperator(
        task_id="export", job_id="job 7", destination=folder.as_uri(), **parameters
    )
    return operator.execute({})


@pytest.fixture
def typed(acme: Acme) -> Acme:
    acme.jobs["job 7"]["status"] = "typed"
    return acme


def test_the_results_of_a_job_have_a_row_for_each_recording_and_its_text_as_a_file(typed: Acme, tmp_path: Path) -> None:
    summary = export_transcripts(tmp_path)
    assert summary["outcomes"] == {"ok": RECORDINGS - 2, "failed": 1, "missing": 1}
    assert verify_export(tmp_path.as_uri()).files.count == RECORDINGS - 2
    rows = {row["id"]: row for row in read_export(tmp_path.as_uri())}
    assert list(rows) == [f"recording {number}" for number in range(RECORDINGS)]
    for number, row in enumerate(rows.values()):
        if row["outcome"] == "ok":
            (file,) = row["files"]
            assert (tmp_path / file["path"]).read_bytes() == text_of(number)
            assert row["result"] == {"words": words(number), "language": "de", "text_url": None}
    assert rows[GARBLED]["error"] == "Acme could not hear a word"
    assert rows[GONE]["outcome"] == "missing"


def test_the_key_goes_to_no_signed_url_and_the_signature_into_no_export(typed: Acme, tmp_path: Path) -> None:
    export_transcripts(tmp_path, compression=None)
    texts = [asked for asked in typed.server.asked if asked.path.startswith("/texts/")]
    assert len(texts) == RECORDINGS - 2
    assert not any(KEY in asked.headers.values() for asked in texts)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SIGNATURE.encode() not in written


def test_a_signed_url_that_has_expired_is_asked_for_again(typed: Acme, tmp_path: Path) -> None:
    typed.expired = 1
    assert export_transcripts(tmp_path)["outcomes"]["ok"] == RECORDINGS - 2


def test_the_results_of_a_job_that_is_not_finished_are_not_exported(acme: Acme, tmp_path: Path) -> None:
    with pytest.raises(BatchUnfinishedError, match="typing"):
        export_transcripts(tmp_path)


def test_a_kind_of_file_that_it_does_not_have_is_refused_at_parse(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="files='video' is not allowed; allowed is one of 'text'"):
        AcmeExportTranscriptsOperator(task_id="t", job_id="job 7", destination=tmp_path.as_uri(), files="video")


def test_results_in_parquet_have_typed_structs(typed: Acme, tmp_path: Path) -> None:
    export_transcripts(tmp_path, file_format="parquet")
    (part,) = manifest_of(tmp_path)["parts"]
    table = pyarrow.parquet.read_table(tmp_path / part["path"])
    assert str(table.schema.field("item").type) == "struct<id: string, status: string, minutes: int64>"
    assert table["result"][0].as_py() == {"words": words(0), "language": "de"}
    assert table["result"][2].as_py() is None


def test_results_of_the_same_state_are_left_as_they_are_and_of_another_exported_again(
    typed: Acme, tmp_path: Path
) -> None:
    first = export_transcripts(tmp_path, if_exists="refresh")
    assert manifest_of(tmp_path)["source_version"] == {"status": "typed", "counts": {}, "updated_at": None}
    assert export_transcripts(tmp_path, if_exists="refresh") == first
    document = manifest_of(tmp_path)
    document["source_version"]["status"] = "typing"
    (tmp_path / "_MANIFEST.json").write_text(json.dumps(document))
    assert export_transcripts(tmp_path, if_exists="refresh")["export_id"] != first["export_id"]


def test_its_own_check_fails_before_a_request(acme: Acme) -> None:
    run = AcmeRunJobOperator(task_id="run", recordings=["ftp://recordings.example/1"])
    with pytest.raises(InvalidParameterError, match="https"):
        run.execute({})
    assert not acme.server.asked
