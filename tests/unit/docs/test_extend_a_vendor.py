"""The example of the page about extending a vendor works as it stands there: its module, its DAG, its tests."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider.export import read_export, verify_export
from airflow_batch_provider.sandbox import Settings
from airflow_batch_provider.testing import no_backoff, sandbox
from airflow_batch_provider.waiting.kinds import kind_named

PAGE = (Path(__file__).parents[3] / "docs/extend-a-vendor.md").read_text()
MODULE, DAG_FILE, TESTS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the page, in a folder that Python imports from, as the plugins folder is."""
    (tmp_path / "our_llamacloud.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("our_llamacloud")
    del sys.modules["our_llamacloud"]


@pytest.mark.usefixtures("ours")
def test_its_dag_exports_the_listing(tmp_path: Path) -> None:
    code = DAG_FILE.replace("file:///data/exports/directories/{{ ds }}", str(tmp_path / "export"))
    namespace: dict[str, Any] = {}
    exec(compile(code, "DAG of the page", "exec"), namespace)  # noqa: S102 - our own page
    with sandbox(Settings(jobs=3)), no_backoff():
        namespace["dag"].get_task("export").execute({})
    assert verify_export(str(tmp_path / "export")).listing == "llamacloud.our_directories"
    rows = list(read_export(str(tmp_path / "export")))
    assert rows
    assert all(row["id"].startswith("dir-") and row["created_at"] for row in rows)


def test_its_kind_knows_one_more_word_and_is_found_by_the_triggerer(ours: Any) -> None:
    assert kind_named("our_llamacloud.JOB") is ours.JOB is ours.JobSensor.kind
    outcomes = {word: ours.JOB.state({"id": "a", "status": word}).outcome for word in ("EXPIRED", "running")}
    assert outcomes == {"EXPIRED": "failed", "running": "running"}


class Outcomes:
    """Counts how tests end, as a plugin of pytest."""

    def __init__(self) -> None:
        self.ended: dict[str, int] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call":
            self.ended[report.outcome] = self.ended.get(report.outcome, 0) + 1


@pytest.mark.usefixtures("ours")
def test_its_tests_pass(tmp_path: Path) -> None:
    path = tmp_path / "test_our_llamacloud.py"
    path.write_text(TESTS)
    outcomes = Outcomes()
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(tmp_path), str(path)]
    assert pytest.main(arguments, plugins=[outcomes]) == 0
    assert outcomes.ended["passed"] > 25
    assert set(outcomes.ended) == {"passed", "skipped"}
    assert outcomes.ended["skipped"] < 10
