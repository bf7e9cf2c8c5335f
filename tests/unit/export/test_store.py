"""Destinations: what is taken, what is refused and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.export.store import LocalStore, open_store


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
    with pytest.raises(DestinationError, match="Cannot open destination 'nowhere://bucket/x'"):
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
