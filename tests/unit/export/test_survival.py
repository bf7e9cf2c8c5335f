"""What could go wrong between tries of an export, and between exports, at the worst moment."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import (
    ExportExistsError,
    IncompleteListingError,
    RequestRefusedError,
)
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export import verify_export
from airflow_batch_provider.export.manifest import Manifest, TaskRun
from airflow_batch_provider.export.publishing import published
from airflow_batch_provider.export.staging import SECONDS_UNTIL_ORPHANED
from airflow_batch_provider.export.verifying import PublishedExport
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator
from airflow_batch_provider.stores.destination import LocalStore, Store
from airflow_batch_provider.stores.object_store import ObjectStore
from tests.unit.export.exported import left_over, local, rows_of, work
from tests.unit.export.test_resume import Countdown, Killed, mortal
from tests.unit.export.vendor import VendorOf, rows
from tests.vendor_server import PAGES, Served, listing, serve

NAME = "llamacloud.batches"
OTHER_TASK = TaskRun("dag", "other", "other run", "2026-03-01T00:00:00+00:00", -1)


def run(vendor: VendorOf, folder: Path, task_run: TaskRun | None = None) -> Manifest:
    return exporting.export(vendor.source(), local(folder), work(15, **({"task_run": task_run} if task_run else {})))  # type: ignore[arg-type]


def once(patch: pytest.MonkeyPatch, owner: type, method: str, action: Callable[..., object]) -> None:
    """Do something before a method is called for the first time."""
    original, left = getattr(owner, method), [action]

    def with_action(*arguments: Any) -> Any:
        if left:
            left.pop()(*arguments)
        return original(*arguments)

    patch.setattr(owner, method, with_action)


def test_a_zombie_that_stopped_while_cleaning_removes_nothing_of_a_later_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows become what they were before, so a later export has the content of the replaced one."""
    run(VendorOf(NAME, rows(10)), tmp_path)

    def sleep_while_another_run_exports(store: Store, name: str) -> None:
        run(VendorOf(NAME, rows(10)), tmp_path, OTHER_TASK)

    once(monkeypatch, LocalStore, "remove", sleep_while_another_run_exports)
    run(VendorOf(NAME, rows(20)), tmp_path)
    assert rows_of(tmp_path) == [*range(10)]


def test_verifying_in_the_moment_of_cleaning_finds_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(VendorOf(NAME, rows(10)), tmp_path)
    store = local(tmp_path)
    begun: list[tuple[PublishedExport, dict[str, float]]] = []

    def begin_to_verify(*arguments: Any) -> None:
        begun.append((PublishedExport(local(tmp_path)), store.names_below()))

    once(monkeypatch, LocalStore, "remove", begin_to_verify)
    run(VendorOf(NAME, rows(20)), tmp_path)
    export, listed = begun[0]
    answers = [listed]
    original = LocalStore.names_below
    monkeypatch.setattr(
        LocalStore, "names_below", lambda store, *folder: answers.pop() if answers else original(store, *folder)
    )
    export.verify()


def test_skipping_cleans_up_after_an_own_try_that_was_killed_after_its_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(listing(NAME, Served(rows(40), cap=10))) as server:
        connection = {"conn_type": "llamacloud", "host": server.url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_LLAMACLOUD_DEFAULT", json.dumps(connection))
        with mortal(lambda: None), pytest.MonkeyPatch.context() as patch:
            patch.setattr("airflow_batch_provider.export.publishing._clean", lambda *arguments: Countdown(0)())
            with pytest.raises(Killed):
                operator(tmp_path).execute(context())  # type: ignore[arg-type]
        operator(tmp_path, if_exists="skip").execute(context())  # type: ignore[arg-type]
    assert rows_of(tmp_path) == [*range(40)]
    assert left_over(tmp_path) == set()


def operator(folder: Path, **parameters: Any) -> LlamaCloudExportBatchesOperator:
    parameters = {"task_id": "export", "destination": folder.as_uri(), "rows_per_part": 15, **parameters}
    return LlamaCloudExportBatchesOperator(**parameters)


def context() -> dict[str, Any]:
    return {"ti": SimpleNamespace(dag_id="dag", task_id="export", run_id="run", map_index=-1)}


def test_an_export_that_appeared_while_reading_is_not_replaced_where_that_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = listing(NAME, Served(rows(40), cap=10))
    left = [lambda: run(VendorOf(NAME, rows(7)), tmp_path, OTHER_TASK)]

    def overtaken(*request: Any) -> Any:
        if left:
            left.pop()()
        return script(*request)

    with serve(overtaken) as server:
        connection = {"conn_type": "llamacloud", "host": server.url, "password": "key"}
        monkeypatch.setenv("AIRFLOW_CONN_LLAMACLOUD_DEFAULT", json.dumps(connection))
        with pytest.raises(ExportExistsError):
            operator(tmp_path, if_exists="error").execute(context())  # type: ignore[arg-type]
    assert rows_of(tmp_path) == [*range(7)]


def test_a_try_that_is_replaced_by_its_successor_right_after_its_manifest_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_if, left = LocalStore.put_if, [True]

    def overtaken(*arguments: Any) -> bool:
        is_put = put_if(*arguments)
        if left:
            left.pop()
            # Not from the checkpoint: it was cleared, and the rows are others now.
            exporting.export(VendorOf(NAME, rows(40, run="later")).source(), local(tmp_path), work(15), resume=False)
        return is_put

    monkeypatch.setattr(LocalStore, "put_if", overtaken)
    run(VendorOf(NAME, rows(40)), tmp_path)


def test_what_was_read_after_a_refused_cursor_is_of_use_to_the_next_try(tmp_path: Path) -> None:
    """Tokens expire after an hour, say, and the machine is preempted now and then."""
    for mark, requests in (("first:", 9), ("second:", 8)):
        with mortal(lambda: None), pytest.raises(Killed):
            run(Expiring(NAME, rows(100), before=Countdown(requests), mark=mark), tmp_path)
    again = Expiring(NAME, rows(100), mark="second:")
    run(again, tmp_path)
    assert len(again.asked) <= 5


@dataclass
class Expiring(VendorOf):
    """Takes only the tokens of its own time."""

    mark: str = ""

    def send(self, request: Any, read: Callable[[Answer], Any]) -> Any:
        self.before()
        query = dict(request.query)
        if not query.get("page_token", self.mark).startswith(self.mark):
            raise RequestRefusedError("the token has expired")
        self.asked.append(request)
        return read(Answer(200, {}, PAGES[self.name](Served(self.rows, cap=self.cap, mark=self.mark), query).body))


def test_another_accounts_key_does_not_continue_what_the_first_one_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection had the wrong account's key; somebody mends it and clears the task."""

    def by_account(method: str, path: str, query: dict[str, str], headers: Any) -> Any:
        account = 1 if "first" in str(headers.get("Authorization")) else 2
        mine = [json.dumps({"id": number + 1000 * account, "status": "done"}) for number in range(100)]
        return listing(NAME, Served(mine, cap=10))(method, path, query, headers)

    with serve(by_account) as server:
        connection = {"conn_type": "llamacloud", "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_LLAMACLOUD_DEFAULT", json.dumps({**connection, "password": "first"}))
        send, count = Client.send, Countdown(6)

        def mortal_send(*arguments: Any) -> Any:
            count()
            return send(*arguments)

        with mortal(lambda: None), pytest.MonkeyPatch.context() as patch:
            patch.setattr(Client, "send", mortal_send)
            with pytest.raises(Killed):
                operator(tmp_path).execute(context())  # type: ignore[arg-type]
        monkeypatch.setenv("AIRFLOW_CONN_LLAMACLOUD_DEFAULT", json.dumps({**connection, "password": "second"}))
        operator(tmp_path).execute(context())  # type: ignore[arg-type]
    assert {number // 1000 for number in rows_of(tmp_path)} == {2}


def test_a_zombie_whose_listing_goes_round_in_circles_does_not_make_its_successor_fail(tmp_path: Path) -> None:
    vendor = VendorOf(NAME, rows(100))

    def give_up_as_a_zombie() -> None:
        if len(vendor.asked) == 8:
            circling = VendorOf(NAME, rows(100))

            def circle() -> None:
                raise IncompleteListingError("it goes round in circles")

            circling.before = circle
            with pytest.raises(IncompleteListingError):
                exporting.export(circling.source(), local(tmp_path), work(15), resume=False)

    vendor.before = give_up_as_a_zombie
    run(vendor, tmp_path)
    assert rows_of(tmp_path) == [*range(100)]


def test_a_slow_export_keeps_its_first_parts_beyond_a_day_though_another_task_cleans(tmp_path: Path) -> None:
    """Overlapping daily runs into one folder, each of which takes more than a day."""
    vendor = VendorOf(NAME, rows(100))

    def a_day_later() -> None:
        if len(vendor.asked) == 8:
            yesterday = time.time() - SECONDS_UNTIL_ORPHANED - 60
            staged = sorted(tmp_path.rglob("*-00000.staged"))
            os.utime(staged[0], (yesterday, yesterday))
            run(VendorOf(NAME, rows(7)), tmp_path, OTHER_TASK)

    vendor.before = a_day_later
    run(vendor, tmp_path)
    assert rows_of(tmp_path) == [*range(100)]


def test_what_a_release_before_staged_hinders_neither_cleaning_nor_verifying(tmp_path: Path) -> None:
    first = run(VendorOf(NAME, rows(10)), tmp_path)
    folder = tmp_path / "_staging" / first.export_id
    folder.mkdir(parents=True)
    (folder / "0123456789abcdef-publishing.json").write_text('{"version": 1, "names": ["part-')
    run(VendorOf(NAME, rows(20)), tmp_path)
    verify_export(tmp_path.as_uri())
    assert left_over(tmp_path) == set()


def test_a_zombie_does_not_put_its_older_rows_over_the_export_of_its_successor() -> None:
    """On an object store, where a part that is being filled lies on the worker's own disk."""
    fs = MemoryFileSystem()
    store = ObjectStore(fs, "/an-export", "memory://an-export")
    zombie = VendorOf(NAME, rows(30, run="older"))

    def sleep() -> None:
        if len(zombie.asked) == 1:
            zombie.before = lambda: None
            exporting.export(VendorOf(NAME, rows(30, run="fresh")).source(), store, work(100))

    zombie.before = sleep
    exporting.export(zombie.source(), store, work(100))
    manifest = published(store)
    assert manifest
    assert b"older" not in gzip.decompress(store.read(manifest.parts[0].path) or b"")


def test_what_is_staged_for_checkpoints_grows_with_the_parts_and_not_with_their_square(tmp_path: Path) -> None:
    def bytes_of_checkpoints(count: int) -> int:
        folder = tmp_path / str(count)
        vendor = VendorOf(NAME, rows(15 * count + 15), cap=15)
        with mortal(lambda: None), pytest.MonkeyPatch.context() as patch:
            patch.setattr("airflow_batch_provider.export.export.publish", lambda *arguments, **options: Countdown(0)())
            with pytest.raises(Killed):
                run(vendor, folder)
        return sum(path.stat().st_size for path in folder.rglob("*.checkpoint.json"))

    few, many = bytes_of_checkpoints(20), bytes_of_checkpoints(80)
    assert many < 6 * few
