"""In every order of steps, one whole export is there, and nothing is left over.

Two processes are taken through every order of their steps. Three are interrupted twice at most, in every place: each
step of one can then meet any state of the two others, and three times as many orders would take minutes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider.apis.page import Rows
from airflow_batch_provider.exceptions import ExportReplacedError, TransientError
from airflow_batch_provider.export import export as exporting
from airflow_batch_provider.export import publishing, staging, stats
from airflow_batch_provider.export.manifest import TaskRun, place_of
from airflow_batch_provider.export.spec import ExportSpec
from airflow_batch_provider.export.uploads import Uploads
from airflow_batch_provider.export.verifying import PublishedExport
from airflow_batch_provider.listing.pages import NewRows
from airflow_batch_provider.stores import store as stores
from airflow_batch_provider.stores.retry import run_once
from airflow_batch_provider.stores.store import Store
from tests.unit.export.exported import pages_of, work
from tests.unit.export.model import MANIFEST, Explorer, Files, State, step_by_step

STORES = pytest.mark.parametrize("is_conditional", [True, False], ids=["conditional", "unconditional"])
MOST_INTERRUPTIONS = 2
UNTIL_BEGUN = 5
"""Steps until a try has looked at what is there, and left its mark."""


class FixedTime(datetime):
    """A run of the code is repeated for each step, so it must not depend on when."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = SimpleNamespace(**dict.fromkeys(("info", "warning"), lambda *arguments, **named: None))
    for module in (exporting, publishing):
        monkeypatch.setattr(module, "log", quiet)
    for module in (exporting, stats):
        monkeypatch.setattr(module, "datetime", FixedTime)
    monkeypatch.setattr(staging, "secrets", SimpleNamespace(token_hex=lambda size: tokens.next(size)))
    monkeypatch.setattr(exporting, "Uploads", lambda beside: Uploads(beside=False))
    monkeypatch.setattr(stores, "attempt", run_once)


class Tokens:
    """Random tokens, the same in each run of a process."""

    def __init__(self) -> None:
        self._process = self._given = 0

    def begin(self, process: int) -> None:
        self._process, self._given = process, 0

    def next(self, size: int) -> str:
        self._given += 1
        return f"{self._process:02x}{self._given:0{2 * size - 2}x}"


tokens = Tokens()


def spec(name: str, try_number: int | None = None) -> ExportSpec:
    run = TaskRun("dag", "task", name, None, -1, try_number)
    return work(100, run, compression=None)


def writer(number: int, what: ExportSpec, rows: int = 2) -> Callable[[Store], Any]:
    def run(store: Store) -> Any:
        tokens.begin(number)
        return exporting.export(lambda **_: pages_of(rows), store, what, resume=False)

    return run


def results(files: Any, **_: Any) -> Iterator[NewRows]:
    """Yield two rows of results, with a file that both have."""
    lines, paths = [], []
    for number in range(2):
        file = files.new_file()
        file.write(b"shared")
        stored = file.finish("txt")
        named = {"path": stored.path, "bytes": stored.bytes, "sha256": stored.sha256}
        lines.append(json.dumps({"id": number, "files": [named]}).encode())
        paths.append((stored.path,))
    yield NewRows(Rows(["0", "1"], ["done"] * 2, lines, ["ok"] * 2, paths), 0, None)


def results_writer(number: int, what: ExportSpec) -> Callable[[Store], Any]:
    def run(store: Store) -> Any:
        tokens.begin(number)
        return exporting.export(results, store, replace(what, is_results=True), resume=False)

    return run


def publish_first(is_conditional: bool, write: Callable[..., Callable[[Store], Any]] = writer) -> Files:
    """Return what an export of another day leaves."""
    explorer = Explorer([write(200, spec("day before"))], [spec("day before").id], is_conditional)
    return next(explorer.ends()).files


def of_release_before() -> Files:
    """Return an export whose part has the digest of its content in its name."""
    content = b'{"id": 0, "text": ""}\n'
    sha256 = hashlib.sha256(content).hexdigest()
    part = {"path": f"part-00000-{sha256[:12]}.jsonl", "rows": 1, "bytes": len(content), "sha256": sha256}
    manifest = {
        "version": 1,
        "export_id": "0" * 32,
        "listing": "vendor.things",
        "params": {},
        "format": "jsonl",
        "compression": None,
        "rows": 1,
        "bytes": len(content),
        "parts": [part],
        "status_counts": {"done": 1},
        "pages": 1,
        "duplicates_dropped": 0,
        "passes": 1,
        "reported_total": None,
        "resumed": False,
        "replaces": [],
        "started_at": "2026-02-01T00:00:00.000Z",
        "finished_at": "2026-02-01T00:00:01.000Z",
    }
    return {MANIFEST: json.dumps(manifest).encode(), part["path"]: content}


def killed_before_its_manifest(what: ExportSpec, files: Files, is_conditional: bool) -> Files:
    """Return what a try leaves that is killed when its parts are there."""
    for after, operation in step_by_step(writer(100, what), files, is_conditional):
        if operation[0] == "put_if" or (operation[0] == "put" and operation[1] == MANIFEST):
            return after
    raise AssertionError("it does not publish")


def named(files: Files) -> set[str]:
    parts = {part["path"] for part in json.loads(files[MANIFEST])["parts"]}
    rows = [json.loads(line) for part in parts for line in files[part].splitlines()]
    return {MANIFEST, *parts, *(file["path"] for row in rows for file in row.get("files", ()))}


def expect_one_whole_export(state: State, specs: Sequence[ExportSpec], is_conditional: bool) -> None:
    """Check what is there in the end; that all is whole on the way is checked at each step."""
    assert any(end.error is None for end in state.ends)
    assert all(end.error is None or isinstance(end.error, TransientError) for end in state.ends), state.ends
    assert json.loads(state.files[MANIFEST])["export_id"] in {what.id for what in specs}
    left = set(state.files) - named(state.files)
    if not is_conditional:
        # Who is overwritten in the moment between another one's look and its put is named by nobody.
        lost = {place for end in state.ends if end.result for place in _places(end.result)}
        left = {name for name in left if place_of(name) not in lost}
    assert left == set()


def _places(manifest: Any) -> set[str]:
    return {*(part.path for part in manifest.parts), *manifest.files.folders}


PAIRS = {
    "two tasks": [spec("one"), spec("other")],
    "two tries at once": [spec("one"), spec("one")],
    "a zombie and its successor": [spec("one", 1), spec("one", 2)],
}


@STORES
@pytest.mark.parametrize(
    ("pair", "before"),
    [
        ("two tasks", "nothing"),
        ("two tasks", "an export"),
        ("two tasks", "an export of the release before"),
        ("two tries at once", "an export"),
    ],
)
def test_two_writers(pair: str, before: str, is_conditional: bool) -> None:
    files = {"nothing": dict, "an export": lambda: publish_first(is_conditional)}.get(before, of_release_before)()
    specs = PAIRS[pair]
    explorer = explore(specs, is_conditional, files)
    for end in explorer.ends():
        expect_one_whole_export(end, specs, is_conditional)
    assert explorer.states > 500


@STORES
@pytest.mark.parametrize("pair", ["two tasks", "two tries at once"])
def test_two_writers_of_results_with_files(pair: str, is_conditional: bool) -> None:
    """No file of a manifest that is there is ever removed, and none of another export stays."""
    specs = PAIRS[pair]
    writers = [results_writer(number, what) for number, what in enumerate(specs, start=1)]
    before = publish_first(is_conditional, results_writer)
    assert len([name for name in before if name.startswith("files/")]) == 1
    assert MANIFEST in before
    explorer = Explorer(writers, [what.id for what in specs], is_conditional, before, MOST_INTERRUPTIONS)
    for end in explorer.ends():
        kept = what_a_try_keeps_for_the_next(end.files, specs[0]) if pair == "two tries at once" else set()
        files = {name: content for name, content in end.files.items() if name not in kept}
        expect_one_whole_export(State(files, end.ends), specs, is_conditional)
    assert explorer.states > 500


def what_a_try_keeps_for_the_next(files: Files, what: ExportSpec) -> set[str]:
    """Return what a try leaves that lost against another one of the same task.

    Its files stay, because a third may be publishing them; they are orphaned after a day. Its mark may be there too.
    """
    beside = {name for name in files if name.startswith("files/")} - named(files)
    return beside | {name for name in files if name.startswith(f"_staging/{what.id}/") and name.endswith("-begun")}


@STORES
def test_the_later_try_wins_over_a_zombie_that_began_before_it(is_conditional: bool) -> None:
    specs = PAIRS["a zombie and its successor"]
    explorer = explore(specs, is_conditional, publish_first(is_conditional))
    explorer.head_start = UNTIL_BEGUN
    for end in explorer.ends():
        expect_one_whole_export(end, specs, is_conditional)
        if end.ends[1].error is None and is_conditional:
            assert json.loads(end.files[MANIFEST])["try_number"] == 2


def explore(
    specs: Sequence[ExportSpec], is_conditional: bool, files: Files, most_switches: int | None = None
) -> Explorer:
    writers = [writer(number, what) for number, what in enumerate(specs, start=1)]
    return Explorer(writers, [what.id for what in specs], is_conditional, files, most_switches)


@STORES
def test_a_try_after_a_killed_one_and_another_task(is_conditional: bool) -> None:
    specs = [spec("one"), spec("other")]
    killed = killed_before_its_manifest(specs[0], publish_first(is_conditional), is_conditional)
    of_killed = {name for name in killed if "64" + "0" * 9 in name}
    assert any(name.startswith("part-") for name in of_killed)
    for end in explore(specs, is_conditional, killed).ends():
        if not is_conditional:  # it may be alive
            end = State({name: end.files[name] for name in end.files if name not in of_killed}, end.ends)
        expect_one_whole_export(end, specs, is_conditional)


@STORES
@pytest.mark.parametrize(
    "specs",
    [[spec("one"), spec("other"), spec("third")], [spec("one", 1), spec("one", 2), spec("other")]],
    ids=["three tasks", "a zombie, its successor and another task"],
)
def test_three_writers(specs: list[ExportSpec], is_conditional: bool) -> None:
    explorer = explore(specs, is_conditional, publish_first(is_conditional), MOST_INTERRUPTIONS)
    for end in explorer.ends():
        expect_one_whole_export(end, specs, is_conditional)
    assert explorer.states > 10_000


def test_a_reader_meets_a_whole_export_or_is_told_that_it_was_replaced() -> None:
    files = publish_first(True)
    explorer = Explorer(
        [writer(1, spec("one")), lambda store: PublishedExport(store).verify()], [spec("one").id, None], True, files
    )
    outcomes = {type(end.ends[1].error) for end in explorer.ends()}
    assert outcomes == {type(None), ExportReplacedError}


def test_the_model_finds_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names by content, as they were, let a cleaner hit what another one has published since."""
    same = property(lambda self: "0" * 12, lambda self, token: None)
    monkeypatch.setattr(staging.Staging, "token", same, raising=False)
    with pytest.raises(AssertionError, match="is named and is not there"):
        for _ in explore([spec("one"), spec("other")], True, publish_first(True)).ends():
            pass
