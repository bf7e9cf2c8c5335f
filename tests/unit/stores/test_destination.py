"""Destinations: what is taken, what is refused and how it is said."""

from __future__ import annotations

import asyncio
import json
import traceback
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.stores.destination import LocalStore, open_store


@pytest.mark.parametrize("as_what", ["uri", "path", "object", "slash"])
def test_a_local_folder_may_be_named_in_several_ways(as_what: str, tmp_path: Path) -> None:
    destination = {
        "uri": tmp_path.as_uri(),
        "path": str(tmp_path),
        "object": ObjectStoragePath(tmp_path.as_uri()),
        "slash": f"{tmp_path.as_uri()}/",
    }[as_what]
    store = open_store(destination)
    store.put("x", b"1")
    assert isinstance(store, LocalStore)
    assert store.uri == tmp_path.as_uri()
    assert (tmp_path / "x").read_bytes() == b"1"


@pytest.mark.parametrize("destination", ["", "  ", "exports/today", "None", None, 5])
def test_what_is_no_place_is_refused(destination: object) -> None:
    with pytest.raises(DestinationError, match="neither a URI"):
        open_store(destination)  # type: ignore[arg-type]


def test_a_store_that_nothing_serves_is_named() -> None:
    with pytest.raises(DestinationError, match=r"destination 'nowhere://bucket/x': .*nowhere"):
        open_store("nowhere://bucket/x")


def test_credentials_in_a_destination_are_refused_and_not_repeated() -> None:
    with pytest.raises(DestinationError, match="holds credentials") as raised:
        open_store("s3://key:sesame@bucket/x")
    assert "sesame" not in str(raised.value)


def test_a_connection_that_does_not_exist_is_named() -> None:
    with pytest.raises(DestinationError, match="no connection 'missing'"):
        open_store("file:///x", conn_id="missing")


def test_files_are_found_read_and_removed_by_name(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    file = store.create("_staging/a/1")
    file.write(b"one")
    file.close()
    store.publish("_staging/a/1", "one")
    assert store.read("one") == b"one"
    assert store.size("one") == 3
    assert set(store.names_below()) == {"one", "_staging/a/1"}
    store.remove("_staging/a/1")
    store.remove("one")
    store.remove("one")
    assert (store.read("one"), store.size("one"), store.names_below("nothing")) == (None, None, {})


@pytest.mark.parametrize("destination", ["file://host/exports", "file://exports", "/", "file:///", "local://x/y"])
def test_a_local_folder_is_absolute_and_not_the_root(destination: str) -> None:
    with pytest.raises(DestinationError, match="must name a folder by three slashes"):
        open_store(destination)


@pytest.mark.parametrize("destination", ["s3://", "s3:///x", "s3://aws_default@", "s3://aws_default@/x"])
def test_a_destination_without_a_bucket_is_refused(destination: str) -> None:
    with pytest.raises(DestinationError, match="names no bucket"):
        open_store(destination)


def test_a_version_in_a_destination_is_refused_because_stores_drop_it() -> None:
    with pytest.raises(DestinationError, match="names a version"):
        open_store("s3://bucket/x?versionId=5")


@pytest.mark.parametrize(
    "name", ["a b", "a%20b", "a#b", "a?b", "ü 語", "{{ ds }}", "{x}", "a@b:c", "[a]*", "trailing/"]
)
def test_a_local_folder_may_have_any_characters(name: str, tmp_path: Path) -> None:
    for destination in (f"{tmp_path}/{name}", f"file://{tmp_path}/{name}"):
        store = open_store(destination)
        store.put("x", b"1")
        assert (tmp_path / name / "x").read_bytes() == b"1"
        assert set(store.names_below()) == {"x"}
        assert store.uri == f"file://{tmp_path}/{name}".rstrip("/")


S3_CONNECTION = {
    "conn_type": "aws",
    "login": "key",
    "password": "sesame",
    "extra": {"endpoint_url": "http://x.invalid"},
}

BROKEN_CONNECTIONS = {
    "missing": ("s3://broken@bucket/x", None),
    "no JSON": ("s3://broken@bucket/x", '{"conn_type": "aws", "password": "sesame"'),
    "of a vendor": ("s3://broken@bucket/x", '{"conn_type": "playment", "password": "sesame"}'),
    "of another store": ("abfs://broken@bucket/x", json.dumps(S3_CONNECTION)),
    "with a signer that is none": (
        "s3://broken@bucket/x",
        json.dumps({**S3_CONNECTION, "extra": {"service_config": {"s3": {"signer": "nobody"}}}}),
    ),
    "without an account": ("abfs://broken@bucket/x", '{"conn_type": "wasb", "password": "sesame"}'),
    "with half an account": (
        "abfs://broken@bucket/x",
        '{"conn_type": "wasb", "extra": {"connection_string": "sesame"}}',
    ),
    "of Google, not installed": ("gs://broken@bucket/x", '{"conn_type": "google_cloud_platform"}'),
}


@pytest.mark.parametrize("case", BROKEN_CONNECTIONS)
def test_a_broken_connection_reaches_nobody_and_shows_no_secret(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself, Airflow would go on with an anonymous file system at the vendor's public endpoint."""
    destination, connection = BROKEN_CONNECTIONS[case]
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_BROKEN", connection)
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})
    reached: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: reached.append(args) or [])
    monkeypatch.setattr("asyncio.BaseEventLoop.getaddrinfo", lambda *args, **kwargs: reached.append(args))
    with pytest.raises(DestinationError) as raised:
        open_store(destination)
    assert reached == []
    assert "sesame" not in "".join(traceback.format_exception(raised.value))


def test_inside_an_event_loop_no_other_file_system_is_taken_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """The S3 file system cannot be made there."""
    monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps(S3_CONNECTION))
    monkeypatch.setattr("airflow.sdk.io.store._STORE_CACHE", {})

    async def inside() -> None:
        open_store("s3://s3@bucket/x")

    with pytest.raises(DestinationError, match="event loop"):
        asyncio.run(inside())
