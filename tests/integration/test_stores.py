"""What every object store does with an export's files, on real servers."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import threading

import pytest

from airflow_batch_provider.exceptions import DestinationError
from airflow_batch_provider.stores.destination import Store
from tests.integration.object_servers import BUCKET, ObjectServer
from tests.unit.export.exported import export, pages_of, work
from tests.unit.stores.writers import count_together, together, write

ODD_NAMES = ["a b", "c%20d", "e#f", "g?h", "ü ñ 語", "{{ ds }}", "x+y", "[q]", "a&b=c", "semi;colon", "quo'te"]


def key(store: Store, name: str) -> str:
    return f"{store.root.removeprefix(f'{BUCKET}/')}/{name}"


def test_an_export_is_whole_and_replaces_the_one_before(server: ObjectServer, store: Store) -> None:
    export(pages_of(120, 130), store, work(100, status="before"))
    before = set(server.content())
    manifest = export(pages_of(120, 131), store, work(90))
    content = {name.rpartition("/")[2]: data for name, data in server.content().items()}
    assert set(content) == {"_MANIFEST.json", *(part.path for part in manifest.parts)}
    assert [hashlib.sha256(content[part.path]).hexdigest() for part in manifest.parts] == [
        part.sha256 for part in manifest.parts
    ]
    lines = [line for part in manifest.parts for line in gzip.decompress(content[part.path]).splitlines()]
    assert [json.loads(line)["id"] for line in lines] == list(range(251))
    assert {name.rpartition("/")[2] for name in before} - {"_MANIFEST.json"} == set(manifest.replaces)


def test_a_file_over_the_limit_of_one_request_is_whole(
    server: ObjectServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are lowered; the one of Google's emulator is 5 MB as it is."""
    if server.name == "s3":
        monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize=None: 5 << 20)
    if server.name == "azure":
        monkeypatch.setattr(store.fs.service_client._config, "max_single_put_size", 1 << 20)
    content = os.urandom(23_000_000)
    write(store, "_staging/big", content)
    store.publish("_staging/big", "big")
    assert server.content() == {key(store, "_staging/big"): content, key(store, "big"): content}
    assert server.unfinished_uploads() == 0
    if server.name == "s3":
        assert str(store.version("_staging/big")).strip('"').endswith("-5")  # of five parts


def test_a_file_is_there_whole_when_it_is_closed_and_not_before(server: ObjectServer, store: Store) -> None:
    file = store.create("_staging/1")
    file.write(b"one")
    assert server.content() == {}
    file.write(b"two")
    file.close()
    assert server.content() == {key(store, "_staging/1"): b"onetwo"}
    assert (store.read("_staging/1"), store.size("_staging/1")) == (b"onetwo", 6)


def test_an_abandoned_file_leaves_nothing(server: ObjectServer, store: Store) -> None:
    file = store.create("_staging/1")
    file.write(b"x" * 3_000_000)
    file.abandon()
    assert server.content() == {}
    assert server.unfinished_uploads() == 0


def test_publishing_keeps_what_is_staged_and_replaces_what_is_there(server: ObjectServer, store: Store) -> None:
    write(store, "_staging/1", b"new")
    store.put("final", b"old")
    store.publish("_staging/1", "final")
    assert server.content() == {key(store, "_staging/1"): b"new", key(store, "final"): b"new"}


def test_publishing_what_is_gone_is_told(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.publish("_staging/1", "final")


def test_what_is_not_there_has_neither_content_nor_size_nor_version(store: Store) -> None:
    assert (store.read("x"), store.size("x"), store.version("x"), store.names_below()) == (None, None, None, {})
    store.remove("x")
    with pytest.raises(FileNotFoundError):
        store.open("x")


def test_a_big_file_is_read_back_in_pieces(store: Store) -> None:
    content = bytes(range(251)) * 80_000
    write(store, "big", content)
    with store.open("big") as file:
        assert b"".join(iter(lambda: file.read(3_000_000), b"")) == content
    assert store.size("big") == len(content)


def test_what_somebody_else_puts_and_removes_is_seen(server: ObjectServer, store: Store) -> None:
    store.put("mine", b"1")
    assert set(store.names_below()) == {"mine"}
    server.put(key(store, "theirs"), b"22")
    server.put(key(store, "mine"), b"333")
    assert set(store.names_below()) == {"mine", "theirs"}
    assert (store.size("theirs"), store.read("theirs"), store.size("mine")) == (2, b"22", 3)
    server.empty()
    assert (store.names_below(), store.size("mine"), store.read("theirs")) == ({}, None, None)


def test_files_have_an_age_and_folders_are_told_apart(store: Store) -> None:
    for name in ("_staging/a/1", "_staging/b/2", "_staging_not/3", "4"):
        store.put(name, b"x")
    assert set(store.names_below("_staging")) == {"_staging/a/1", "_staging/b/2"}
    ages = store.names_below()
    assert set(ages) == {"_staging/a/1", "_staging/b/2", "_staging_not/3", "4"}
    assert all(abs(age) < 600 for age in ages.values())


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_with_odd_characters_are_names_like_others(server: ObjectServer, store: Store, name: str) -> None:
    if server.name == "google" and ";" in name:
        pytest.skip("the emulator cuts names at semicolons")
    write(store, name, b"1")
    store.publish(name, f"published {name}")
    assert server.content() == {key(store, name): b"1", key(store, f"published {name}"): b"1"}
    assert set(store.names_below()) == {name, f"published {name}"}
    assert (store.read(name), store.size(name)) == (b"1", 1)
    store.remove(name)
    assert (store.read(name), store.version(name)) == (None, None)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_folders_with_odd_characters_are_folders_like_others(server: ObjectServer, name: str) -> None:
    if server.name == "google" and ";" in name:
        pytest.skip("the emulator cuts names at semicolons")
    if "?" in name or "#" in name:
        pytest.skip("refused in destinations")
    store = server.open(f"odd/{name}/")
    write(store, "_staging/x", b"1")
    store.publish("_staging/x", "y")
    assert set(server.content()) == {f"odd/{name}/_staging/x", f"odd/{name}/y"}
    assert set(store.names_below()) == {"_staging/x", "y"}
    assert set(store.names_below("_staging")) == {"_staging/x"}


def test_a_conditional_put_writes_only_what_has_not_changed(server: ObjectServer, store: Store) -> None:
    assert store.put_if("x", b"1", None)
    if server.name == "google":
        pytest.skip("the emulator does not check generations; a unit test looks at what is asked")
    assert not store.put_if("x", b"lost", None)
    first = store.version("x")
    assert store.put_if("x", b"2", first)
    assert not store.put_if("x", b"lost", first)
    assert store.read("x") == b"2"
    store.remove("x")
    assert not store.put_if("x", b"lost", first)
    assert server.content() == {}


def test_of_writers_at_once_each_follows_the_one_before(server: ObjectServer, store: Store) -> None:
    if server.name == "google":
        pytest.skip("the emulator does not check generations; a unit test looks at what is asked")
    assert count_together(store, writers=3, times=4) == 12


def test_of_writers_at_once_one_makes_the_file(server: ObjectServer, store: Store) -> None:
    if server.name == "google":
        pytest.skip("the emulator does not check generations; a unit test looks at what is asked")
    made: list[int] = []
    start = threading.Barrier(4)

    def make(number: int) -> None:
        start.wait()
        if store.put_if("x", b"%d" % number, None):
            made.append(number)

    together(make, 4)
    assert [b"%d" % number for number in made] == [store.read("x")]


def test_a_rival_that_publishes_the_same_file_at_once_leaves_it_whole(server: ObjectServer, store: Store) -> None:
    contents = {f"_staging/{number}": bytes([number]) * 100_000 for number in range(4)}
    for name, content in contents.items():
        write(store, name, content)
    threads = [threading.Thread(target=store.publish, args=(name, "final")) for name in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("final") in contents.values()


@pytest.mark.parametrize("conn_id", ["store_wrong", "store_reader"])
def test_a_key_that_may_not_write_is_an_error_that_says_what_to_do(server: ObjectServer, conn_id: str) -> None:
    if not server.checks_credentials:
        pytest.skip("the emulator takes any key")
    store = server.open("exports", conn_id)
    for operation in (
        lambda: store.put("x", b"1"),
        lambda: write(store, "x", b"1"),
        lambda: store.put_if("x", b"", None),
    ):
        with pytest.raises(DestinationError) as raised:
            operation()
        message = str(raised.value)
        assert store.uri in message
        assert f"connection {conn_id!r}" in message
        assert "Check the credentials and rights" in message
        assert "not-the-secret" not in message
        assert "sig=" not in message
    assert server.content() == {}


def test_a_bucket_that_does_not_exist_is_an_error_that_says_what_to_do(server: ObjectServer) -> None:
    conn_id = "store_reader" if server.name == "s3" else "store_test"  # SeaweedFS makes buckets for administrators
    store = server.open("exports", conn_id, bucket="nowhere")
    for operation in (
        lambda: store.put("x", b"1"),
        lambda: write(store, "x", b"1"),
        lambda: store.put_if("x", b"1", None),
    ):
        with pytest.raises(DestinationError, match="Check th"):
            operation()


def test_versions_of_many_files_are_those_of_each(server: ObjectServer, store: Store) -> None:
    """Among them folders with more files than a page lists, names that begin alike, and files that are not there."""
    folders = [*(f"b{number}" for number in range(12)), "b1-x", "b1.x", "gone"]
    for folder in folders[:-1]:
        store.put(f"{folder}/_MANIFEST.json", folder.encode())
        store.put(f"{folder}/part-0", b"x")
    names = [f"{folder}/_MANIFEST.json" for folder in folders]
    expected = {name: store.version(name) for name in names[:-1]}
    found = store.versions_of(names)
    if server.name != "s3":
        assert found is None
        return
    assert found is not None
    assert found.items() <= expected.items()
    # SeaweedFS lists folder by folder, so it may leave out what begins alike; S3 itself does not.
    assert expected.keys() - found.keys() <= {f"{folder}/_MANIFEST.json" for folder in ("b1", "b1-x", "b1.x")}
    assert store.versions_of([]) == {}
