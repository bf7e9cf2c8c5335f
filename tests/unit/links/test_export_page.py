"""The link from an export to its folder in a browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.exceptions import BatchProviderError
from airflow_batch_provider.links.export_page import PublishedExportLink, page_of_folder
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.stores.destination import Store, open_store
from airflow_batch_provider.stores.object_store import ObjectStore
from airflow_batch_provider.testing import sandbox

OPTION = "AIRFLOW__BATCH_PROVIDER__EXPORT_PAGES"


def on_s3(folder: str = "raw/a/b", uri: str = "s3://aws_default@raw/a/b", **client: Any) -> Store:
    s3fs = pytest.importorskip("s3fs")
    fs = s3fs.S3FileSystem(key="testkey", secret="testsecret", client_kwargs=client, skip_instance_cache=True)
    return ObjectStore(fs, folder, uri, "aws_default")


def on_google(endpoint: str | None = None) -> Store:
    gcsfs = pytest.importorskip("gcsfs.core")
    fs = gcsfs.GCSFileSystem(token="anon", endpoint_url=endpoint, skip_instance_cache=True)
    return ObjectStore(fs, "raw/a b/c", "gs://google@raw/a b/c", "google")


def link_of(task: Any) -> str:
    (link,) = task.operator_extra_links
    assert isinstance(link, PublishedExportLink)
    return link.get_link(task, ti_key=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_amazon_shows_a_folder_in_the_console_of_its_partition(region: str, console: str) -> None:
    assert page_of_folder(on_s3(region_name=region)) == f"https://{console}/s3/buckets/raw?prefix=a/b/"


def test_another_vendors_s3_has_no_page_of_amazon() -> None:
    store = on_s3(endpoint_url="http://user:secret@127.0.0.1:9000", region_name="us-east-1")
    assert page_of_folder(store) is None


def test_a_host_that_only_ends_like_amazons_is_another_vendor() -> None:
    assert page_of_folder(on_s3(endpoint_url="https://s3.notamazonaws.com", region_name="us-east-1")) is None


def test_google_shows_a_folder_in_its_console() -> None:
    assert page_of_folder(on_google()) == "https://console.cloud.google.com/storage/browser/raw/a%20b/c/"


def test_an_emulator_of_google_has_no_page_of_google() -> None:
    assert page_of_folder(on_google("http://127.0.0.1:1")) is None


def test_a_local_folder_has_no_page(tmp_path: Path) -> None:
    assert page_of_folder(open_store(tmp_path.as_uri())) is None


PLACES = {
    "file:///data/exports": "https://files.example.com/{path}",
    "file:///data/exports/own/": "https://own.example.com/list?folder={path}",
    "s3://raw": "https://minio.example.com/browser/raw/{path}",
}


@pytest.mark.parametrize(
    ("destination", "page"),
    [
        ("file:///data/exports/talkifai/2026-03-01", "https://files.example.com/talkifai/2026-03-01/"),
        ("/data/exports/own/a?b#c", "https://own.example.com/list?folder=a%3Fb%23c/"),
        ("file:///data/exports", "https://files.example.com/"),
        ("file:///data/exports2/a", None),
        ("file:///elsewhere", None),
    ],
)
def test_the_configuration_gives_pages_by_the_beginning_of_the_place(
    destination: str, page: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPTION, json.dumps(PLACES))
    assert page_of_folder(open_store(destination)) == page


def test_the_configuration_stands_before_a_console_and_leaves_the_connection_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(OPTION, json.dumps(PLACES))
    assert page_of_folder(on_s3(region_name="eu-west-1")) == "https://minio.example.com/browser/raw/a/b/"
    assert page_of_folder(on_s3(uri="s3://raw/a/b")) == "https://minio.example.com/browser/raw/a/b/"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip("/")))
def test_every_folder_comes_back_from_its_link(folder: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OPTION, json.dumps({"s3://raw": "https://x.example.com/{path}"}))
        page = page_of_folder(on_s3(f"raw/{folder}", f"s3://c@raw/{folder}"))
    assert page is not None
    parts = urlsplit(page)
    assert (parts.netloc, parts.query, parts.fragment) == ("x.example.com", "", "")
    assert unquote(parts.path).strip("/") == folder.strip("/")


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(OPTION, json.dumps({tmp_path.as_uri(): "https://files.example.com/{path}"}))
    return "https://files.example.com"


def test_an_export_and_its_check_link_to_the_folder(tmp_path: Path, pages: str) -> None:
    with sandbox():
        export = TalkifAIExportBatchJobsOperator(task_id="export", destination=(tmp_path / "a").as_uri())
        assert link_of(export) == ""
        export.execute({})
        skipped = TalkifAIExportBatchJobsOperator(
            task_id="export", destination=(tmp_path / "a").as_uri(), if_exists="skip"
        )
        skipped.execute({})
    check = VerifyExportOperator(task_id="verify", destination=(tmp_path / "a").as_uri())
    check.execute({})
    assert {link_of(task) for task in (export, skipped, check)} == {f"{pages}/a/"}


def test_an_export_that_failed_has_no_link(tmp_path: Path, pages: str) -> None:
    with sandbox():
        export = TalkifAIExportBatchJobsOperator(
            task_id="export", destination=(tmp_path / "a").as_uri(), organization_id="another"
        )
        with pytest.raises(BatchProviderError):
            export.execute({})
    assert link_of(export) == ""


def test_a_check_that_failed_has_no_link(tmp_path: Path, pages: str) -> None:
    check = VerifyExportOperator(task_id="verify", destination=(tmp_path / "a").as_uri())
    with pytest.raises(BatchProviderError):
        check.execute({})
    assert link_of(check) == ""


READ = """
from airflow_batch_provider.links.configured import pages
import airflow.configuration
print(dict(pages("export_pages")), dict(pages("batch_pages")))
"""


def test_the_pages_may_stand_in_airflows_configuration_file(tmp_path: Path) -> None:
    """Airflow expands some values of it, and takes braces for names."""
    (tmp_path / "airflow.cfg").write_text(
        '[batch_provider]\nexport_pages = {"s3://raw": "https://x/{path}"}\nbatch_pages = {"a.b": "https://y/{batch_id}"}\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", READ],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "{'s3://raw': 'https://x/{path}'} {'a.b': 'https://y/{batch_id}'}"
