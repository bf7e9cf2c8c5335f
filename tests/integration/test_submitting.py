"""What a task submits, read from a real S3 server."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.export import failed_items
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.talkifai import TalkifAIExportConversationsOperator
from airflow_batch_provider.sandbox import Sandbox
from airflow_batch_provider.submitting.files import SourceFile, source_files
from airflow_batch_provider.submitting.rows import Rows
from tests.integration.object_servers import BUCKET, ObjectServer

AGAIN = {"pending", "queued", "no_answer", "busy", "timeout", "failed", "carrier_error"}
pytestmark = pytest.mark.parametrize("each_server", ["s3"], indirect=True)

BASE = f"s3://store_test@{BUCKET}"


def files_of(files: object, conn_id: str | None = None) -> list[SourceFile]:
    return source_files(files, conn_id, name="files", most=100, largest=20 << 20)  # type: ignore[arg-type]


def test_rows_come_from_a_bucket_as_often_as_they_are_read(server: ObjectServer) -> None:
    count = 100_000
    lines = b"phone,name\n" + b"".join(b"+49%d,x\n" % number for number in range(count))
    server.put("in/contacts.csv.gz", gzip.compress(lines))
    for source, conn_id in ((f"{BASE}/in/contacts.csv.gz", None), (f"s3://{BUCKET}/in/contacts.csv.gz", "store_test")):
        rows = Rows(source, conn_id, name="contacts")
        for _ in range(2):
            numbers = [number for number, row in rows if row == {"phone": f"+49{number - 1}", "name": "x"}]
            assert len(numbers) == count


def test_the_files_of_a_folder_are_hashed_and_opened(server: ObjectServer) -> None:
    content = {f"20{index:02d}/ä b%20{index}.pdf": bytes([index]) * (1 + index * 99_999) for index in range(30)}
    content["large.pdf"] = b"x" * (10 << 20)
    for name, its_bytes in content.items():
        server.put(f"docs/{name}", its_bytes)
    for name in (".keep", "2001/.DS_Store", "2002/", ""):  # the last two are what consoles make for folders
        server.put(f"docs/{name}", b"")
    server.put("docs2/other.pdf", b"1")
    found = files_of(f"{BASE}/docs")
    assert [file.name for file in found] == sorted(content)
    for file in found:
        assert file.uri == f"{BASE}/docs/{file.name}"
        assert file.bytes == len(content[file.name])
        assert file.sha256 == hashlib.sha256(content[file.name]).hexdigest()
    with found[-1].open() as opened:
        assert opened.read() == content["large.pdf"]


def test_files_are_found_by_uri_and_by_path_object(server: ObjectServer) -> None:
    server.put("docs/a.pdf", b"1")
    server.put("docs/b.pdf", b"2")
    named = [f"s3://{BUCKET}/docs/b.pdf", ObjectStoragePath(f"{BASE}/docs/a.pdf")]
    assert [file.uri for file in files_of(named, "store_test")] == [f"{BASE}/docs/b.pdf", f"{BASE}/docs/a.pdf"]
    with pytest.raises(InvalidParameterError, match=r"named more than once: 's3://store_test@raw/docs/a\.pdf'"):
        files_of([f"s3://{BUCKET}/docs/a.pdf", f"{BASE}/docs/a.pdf"], "store_test")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([f"{BASE}/docs/no.pdf"], f"files: files are not there: '{BASE}/docs/no.pdf'"),
        (f"{BASE}/no", f"files: '{BASE}/no' is neither a file nor a folder with files"),
        ([f"{BASE}/docs"], f"folders can be passed only alone, as files='{BASE}/docs'"),
        ([f"{BASE}/docs/empty.pdf"], f"files are empty: '{BASE}/docs/empty.pdf'"),
        (f"s3://store_wrong@{BUCKET}/docs", r"it must list and read there"),
    ],
)
def test_what_is_wrong_is_said_of_the_parameter(files: object, expected: str, server: ObjectServer) -> None:
    server.put("docs/a.pdf", b"1")
    server.put("docs/empty.pdf", b"")
    with pytest.raises(InvalidParameterError) as raised:
        files_of(files)
    assert expected in str(raised.value)
    assert "destination" not in str(raised.value)


def test_a_connection_that_may_only_read_is_enough(server: ObjectServer) -> None:
    server.put("docs/a.jsonl", b'{"a": 1}\n')
    uri = f"s3://store_reader@{BUCKET}/docs/a.jsonl"
    assert list(Rows(uri, name="contacts")) == [(1, {"a": 1})]
    assert [file.uri for file in files_of([uri])] == [uri]


def test_a_file_that_was_removed_is_noticed(server: ObjectServer) -> None:
    server.put("docs/a.jsonl", b'{"a": 1}\n')
    rows = Rows(f"{BASE}/docs/a.jsonl", name="contacts")
    assert len(list(rows)) == 1
    server.empty()
    with pytest.raises(InvalidParameterError, match=r"contacts: there is no file '.*a\.jsonl'"):
        list(rows)


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_contacts_that_were_not_reached_can_be_submitted_again(
    file_format: str, vendors: Sandbox, server: ObjectServer
) -> None:
    hook = TalkifAIHook()
    jobs = [job for job in hook.iter_batch_jobs() if job["status"] == "completed" and job["failedCalls"]]
    job = next(job["id"] for job in jobs if 10 < job["totalContacts"] < 60)
    contacts = list(hook.iter_contacts(job))
    destination = f"{BASE}/conversations"
    export = TalkifAIExportConversationsOperator(
        task_id="export", batch_job_id=job, destination=destination, file_format=file_format, files=[]
    )
    export.execute({})
    again = failed_items(destination)
    assert again == [
        {"phone": contact["phoneNumber"], **{k: v for k, v in contact["contactData"].items() if k != "phone"}}
        for contact in contacts
        if contact["status"] in AGAIN
    ]
    assert 0 < len(again) < len(contacts)
    assert [row for _, row in Rows(again, name="contacts")] == again
