"""``expect=`` of the export operators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_batch_provider.exceptions import ExpectationError, InvalidParameterError
from airflow_batch_provider.export import Expect, verify_export
from airflow_batch_provider.operators.playment import PlaymentExportJobResultsOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.sandbox import Sandbox, Settings
from airflow_batch_provider.testing import no_backoff, sandbox


@pytest.fixture(scope="module")
def vendors() -> Iterator[Sandbox]:
    with sandbox(Settings(jobs=60, late=0)) as running, no_backoff():
        yield running


def jobs(folder: Path, **parameters: Any) -> TalkifAIExportBatchJobsOperator:
    return TalkifAIExportBatchJobsOperator(task_id="export", destination=folder.as_uri(), **parameters)


def results(vendors: Sandbox, folder: Path, **parameters: Any) -> PlaymentExportJobResultsOperator:
    batch_id = vendors.how_to["results"]["playment.batch_jobs"]["batch_id"]
    return PlaymentExportJobResultsOperator(
        task_id="export", destination=folder.as_uri(), batch_id=batch_id, **parameters
    )


@pytest.mark.parametrize("expect", [Expect(rows_at_least=60), {"rows_at_least": "60"}, {}, None])
def test_an_export_that_keeps_the_rules_is_published(expect: Any, vendors: Sandbox, tmp_path: Path) -> None:
    assert jobs(tmp_path, expect=expect).execute({})["rows"] == 60


def test_an_export_that_breaks_a_rule_leaves_the_one_before(vendors: Sandbox, tmp_path: Path) -> None:
    jobs(tmp_path).execute({})
    with pytest.raises(ExpectationError, match="rows_at_least is 61"):
        jobs(tmp_path, expect=Expect(rows_at_least=61)).execute({})
    with pytest.raises(ExpectationError, match="fewer than the 60 of"):
        jobs(tmp_path, expect=Expect(fewer_rows_at_most=0.05), status="failed").execute({})
    assert verify_export(str(tmp_path)).rows == 60


def test_results_with_too_many_failures_are_not_published(vendors: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ExpectationError, match=r"3 items are failed, partial or missing, a share of 0\.05"):
        results(vendors, tmp_path, expect=Expect(item_failures_at_most=0.04)).execute({})
    assert results(vendors, tmp_path, expect=Expect(item_failures_at_most=0.05)).execute({})["rows"] == 60


@pytest.mark.parametrize("expect", [{"rows_at_least": 0}, {"row_count": 1}, 5, {"fewer_rows_at_most": 10}])
def test_a_wrong_value_is_refused_when_the_dag_is_parsed(expect: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match=r"TalkifAIExportBatchJobsOperator: expect.* is not allowed"):
        jobs(tmp_path, expect=expect)


def test_a_rule_of_items_is_refused_for_a_listing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="only for exports of results"):
        jobs(tmp_path, expect={"none_missing": True})


@pytest.mark.parametrize("expect", [{"rows_at_least": "many"}, "many"])
def test_what_a_template_renders_to_is_refused_before_a_request_is_sent(
    expect: Any, vendors: Sandbox, tmp_path: Path
) -> None:
    task = jobs(tmp_path, expect={"rows_at_least": "{{ params.rows }}"})
    task.expect = expect
    before = len(vendors.requests)
    with pytest.raises(InvalidParameterError, match="'many' is not allowed"):
        task.execute({})
    assert len(vendors.requests) == before


def test_its_values_are_templates(tmp_path: Path) -> None:
    with DAG("d", schedule=None):
        task = jobs(tmp_path, expect=Expect(rows_at_least="{{ params.rows }}", fewer_rows_at_most=0.1))
    task.render_template_fields({"params": {"rows": 7}})
    assert task.expect == {"rows_at_least": "7", "fewer_rows_at_most": 0.1}
