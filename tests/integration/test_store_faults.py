"""Stores that go away and come back, on real servers behind a proxy that is cut."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_batch_provider import backoff
from airflow_batch_provider.exceptions import TransientError
from airflow_batch_provider.stores import object_store
from airflow_batch_provider.stores.destination import Store
from airflow_batch_provider.testing import no_backoff
from tests.integration.object_servers import ObjectServer
from tests.unit.export.exported import export, pages_of, work
from tests.unit.stores.writers import write

OPERATIONS: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put("new", b"1"),
    "put_if": lambda store: store.put_if("new", b"1", None),
    "create": lambda store: write(store, "new", b"1"),
    "publish": lambda store: store.publish("old", "new"),
    "read": lambda store: store.read("old"),
    "open": lambda store: store.open("old").read(),
    "size": lambda store: store.size("old"),
    "version": lambda store: store.version("old"),
    "names_below": lambda store: list(store.names_below()),
    "remove": lambda store: store.remove("old"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_survives_a_store_that_comes_back(
    server: ObjectServer, store: Store, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("old", b"content")
    expected = OPERATIONS[operation](store)
    for name in ("new", "old"):
        store.remove(name)
    store.put("old", b"content")
    pauses: list[float] = []

    def come_back_at_the_second(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            server.proxy.restore()

    monkeypatch.setattr(backoff, "pause", come_back_at_the_second)
    monkeypatch.setattr(object_store, "SECONDS_PER_CALL", 0.5)  # the libraries' own retries take longer
    monkeypatch.setattr(object_store, "SECONDS_PER_LONG_CALL", 0.5)
    server.proxy.cut()
    result = OPERATIONS[operation](store)
    assert len(pauses) >= 2
    if operation != "version":
        assert result == expected


@pytest.mark.parametrize("operation", ["put", "create", "read"])
def test_a_store_that_stays_away_is_an_error_that_may_pass(
    server: ObjectServer,
    store: Store,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(object_store, "SECONDS_PER_CALL", 0.2)
    monkeypatch.setattr(object_store, "SECONDS_PER_LONG_CALL", 0.2)
    server.proxy.cut()
    with no_backoff(), pytest.raises(TransientError, match="Cannot ") as raised:
        OPERATIONS[operation](store)
    assert store.uri in str(raised.value)
    retries = [record for record in caplog.records if record.name == "airflow_batch_provider.stores.retry"]
    assert len(retries) >= 5
    assert all(record.levelname == "WARNING" for record in retries)


def test_a_store_that_is_away_for_a_while_in_the_middle_of_an_export_is_survived(
    server: ObjectServer, store: Store
) -> None:
    """With the libraries' own retries and ours, as they are."""
    pages = pages_of(*[100] * 6)

    def cut_in_the_middle() -> Iterator[object]:
        for number, page in enumerate(pages):
            if number == 3:
                server.proxy.cut(refusals=3)
            yield page

    manifest = export(cut_in_the_middle(), store, work(100))  # type: ignore[arg-type]
    assert server.proxy.is_open
    assert manifest.rows == 600
    found = {name.rpartition("/")[2]: content for name, content in server.content().items()}
    assert set(found) == {"_MANIFEST.json", *(part.path for part in manifest.parts)}
    assert json.loads(found["_MANIFEST.json"])["rows"] == 600
    assert [len(found[part.path]) for part in manifest.parts] == [part.bytes for part in manifest.parts]
    assert server.unfinished_uploads() == 0


def test_an_answer_that_is_lost_does_not_make_a_conditional_put_fail(
    server: ObjectServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has written, and says so to nobody. The next attempt is refused, by our own content."""
    marker = b"0123456789abcdef"
    monkeypatch.setattr(object_store, "SECONDS_PER_CALL", 2.0)
    monkeypatch.setattr(backoff, "pause", lambda seconds: server.proxy.restore())

    def cut_when_it_was_written(data: bytes) -> None:
        if marker in data:
            server.proxy.on_bytes = lambda data: None
            server.proxy.lose_next_answer()

    server.proxy.on_bytes = cut_when_it_was_written
    assert store.put_if("x", marker, None)
    assert server.proxy.lost == 1
    assert store.read("x") == marker


def test_a_killed_writer_leaves_nothing_behind(server: ObjectServer, store: Store, tmp_path: Path) -> None:
    if server.name == "google":
        pytest.skip("opened by this process only")
    script = (
        "import os, signal, sys\n"
        "from airflow_batch_provider.stores.destination import open_store\n"
        "file = open_store(sys.argv[1]).create('_staging/1')\n"
        "file.write(b'x' * 30_000_000)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import os

    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.getcwd()}
    killed = subprocess.run([sys.executable, "-c", script, store.uri], env=environment, capture_output=True)
    assert killed.returncode == -9, killed.stderr[-2000:]
    assert server.content() == {}
    assert server.unfinished_uploads() == 0
    assert list(tmp_path.rglob("airflow-batch-provider-*")) == []
