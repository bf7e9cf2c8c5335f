"""Destinations: what is taken, what is refused and how it is said."""

from __future__ import annotations

import asyncio
import json
import traceback
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.exceptions import DestinationError, InvalidParameterError
from airflow_batch_provider.stores.destination import LocalStore, open_store
from airflow_batch_provider.stores.destination_uri import destination_uri
from airflow_batch_provider.stores.role import source_role


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


@pytest.mark.parametrize("login", ["key:sesame", "key:sesa/me", "key:/sesame", "key:a@sesame", ":sesame"])
def test_credentials_in_a_destination_are_refused_and_not_repeated(login: str) -> None:
    with pytest.raises(DestinationError, match="contains credentials") as raised:
        open_store(f"s3://{login}@bucket/x")
    assert "sesa" not in str(raised.value)


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


def test_a_folder_has_no_size_as_in_an_object_store(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert open_store(str(tmp_path)).size("folder") is None


@pytest.mark.parametrize(
    "source", ["", "s3://", "s3://key:x@raw/y", "/a\nb", "nowhere://raw/x", "s3://missing@raw/x", "/"]
)
def test_errors_name_the_parameter_whose_place_cannot_be_opened(source: str) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        open_store(source, role=source_role("contacts"))
    assert "contacts" in str(raised.value)
    assert "destination" not in str(raised.value)


@pytest.mark.parametrize("destination", ["file://host/exports", "file://exports", "/", "file:///", "local://x/y"])
def test_a_local_folder_is_absolute_and_not_the_root(destination: str) -> None:
    with pytest.raises(DestinationError, match="must name a folder by three slashes"):
        open_store(destination)


@pytest.mark.parametrize("destination", ["s3://", "s3:///x", "s3://aws_default@", "s3://aws_default@/x"])
def test_a_destination_without_a_bucket_is_refused(destination: str) -> None:
    with pytest.raises(DestinationError, match="names no bucket"):
        open_store(destination)


@pytest.mark.parametrize("form", ["{}//a///b", "{}/a/b/", "{}/a//b//", "{}//a/b///", " {}/a/b "])
@pytest.mark.parametrize("scheme", ["", "file://", "local://"])
def test_a_local_folder_is_the_same_with_however_many_slashes(scheme: str, form: str, tmp_path: Path) -> None:
    store = open_store(form.format(f"{scheme}{tmp_path}"))
    store.put("x", b"1")
    assert store.uri == f"{scheme or 'file://'}{tmp_path}/a/b"
    assert set(store.names_below()) == {"x"}
    assert (tmp_path / "a/b/x").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("s3://raw//a///b//", "s3://raw/a/b"),
        ("s3://c@raw/a/b/", "s3://c@raw/a/b"),
        ("S3://raw/a b//%20?x#y", "s3://raw/a b/%20?x#y"),
        ("abfs://raw//", "abfs://raw"),
        ("gs://raw", "gs://raw"),
    ],
)
def test_an_object_store_gets_single_slashes_and_nothing_else_is_changed(written: str, meant: str) -> None:
    assert destination_uri(written) == meant
    assert destination_uri(meant) == meant


@given(st.lists(st.sampled_from(["a", "b ", "{{ ds }}", ".x", "", "/"]), max_size=6))
def test_any_spelling_with_slashes_is_one_folder(pieces: list[str]) -> None:
    folder = "/".join(pieces)
    single = "/".join(piece for piece in folder.split("/") if piece)
    assert destination_uri(f"s3://raw/{folder}/x") == f"s3://raw/{single}/x".replace("raw//", "raw/")


@pytest.mark.parametrize("destination", ["file:///data/None", "/data/None/jobs", "s3://raw/None/jobs"])
def test_a_folder_of_a_template_without_a_value_is_refused(destination: str) -> None:
    with pytest.raises(DestinationError, match="has a folder 'None': a template renders to that"):
        open_store(destination)


@pytest.mark.parametrize("folder", ["a/../b", "..", "a/.", "./a"])
def test_dots_that_some_object_stores_resolve_are_refused(folder: str) -> None:
    with pytest.raises(DestinationError, match=r"has '\.' or '\.\.' as a folder"):
        open_store(f"s3://raw/{folder}")


@pytest.mark.parametrize(
    "character", [*map(chr, range(32)), "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\ud800"], ids=ascii
)
@pytest.mark.parametrize("form", ["{1}{0}", "{0}{1}", "{0}/a{1}b/c"])
def test_a_control_character_is_refused_not_changed(character: str, form: str, tmp_path: Path) -> None:
    for place in (str(tmp_path), tmp_path.as_uri(), "s3://raw/x"):
        with pytest.raises(InvalidParameterError, match="has the control character") as raised:
            open_store(form.format(place, character))
        assert character not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_control_character_beside_credentials_does_not_show_them() -> None:
    with pytest.raises(InvalidParameterError) as raised:
        open_store("s3://key:sesame@raw/x\n")
    assert "sesame" not in str(raised.value)


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
