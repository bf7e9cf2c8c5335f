"""The task that checks an export."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_batch_provider.exceptions import ExportDamagedError
from airflow_batch_provider.operators.verify import VerifyExportOperator
from tests.unit.export.exported import MANIFEST, export, local, pages_of, work


def test_it_returns_the_summary_of_the_manifest(tmp_path: Path) -> None:
    manifest = export(pages_of(30), local(tmp_path), work(10))
    task = VerifyExportOperator(task_id="verify", destination=str(tmp_path))
    assert task.execute({}) == manifest.summary(tmp_path.as_uri())


def test_it_fails_where_the_export_is_not_whole(tmp_path: Path) -> None:
    export(pages_of(30), local(tmp_path), work(10))
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ExportDamagedError, match="there is no"):
        VerifyExportOperator(task_id="verify", destination=tmp_path.as_uri()).execute({})


def test_its_parameters_are_templates() -> None:
    assert set(VerifyExportOperator.template_fields) == {"destination", "destination_conn_id"}
