"""The part of a destination that stays the same from run to run, which an asset is made for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath, XComArg, task_group

from airflow_batch_provider.lineage.datasets import asset_uri
from airflow_batch_provider.lineage.destination_root import root_uri
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.stores.destination_uri import destination_uri


class Pulled:
    """A result of a task that a template reads."""

    map_index = 3

    def xcom_pull(self, task_ids: str) -> str:
        """Return it."""
        return f"s3://raw/{task_ids}/2026-03-01"


CONTEXT: dict[str, Any] = {
    "ds": "2026-03-01",
    "ts_nodash": "20260301T000000",
    "a": 6,
    "b": 3,
    "ti": Pulled(),
    "params": {"bucket": "raw", "exports": "s3://raw/exports", "destination": "s3://raw/jobs/today", "day": None},
    "var": {"value": {"exports": "s3://raw/exports", "bucket": "raw", "env": "prod", "local": "/data", "empty": ""}},
    "conn": {"store": {"host": "raw"}},
    "dag": SimpleNamespace(dag_id="nightly"),
    "dag_run": SimpleNamespace(run_after=datetime(2026, 3, 1, tzinfo=UTC)),
}

TEMPLATES = [
    # Nothing varies: the destination is its own root.
    ("s3://raw/jobs", "s3://raw/jobs"),
    ("s3://raw", "s3://raw"),
    ("/data/exports/", "file:///data/exports"),
    ("file:///data", "file:///data"),
    ("s3://aws_default@raw/jobs", "s3://raw/jobs"),
    ("{{ var.value.exports }}", "s3://raw/exports"),
    ("{{ var.value.exports }}/jobs", "s3://raw/exports/jobs"),
    ("{{ var.value.exports }}//jobs/", "s3://raw/exports/jobs"),
    ("s3://{{ conn.store.host }}/jobs/{# of today #}all", "s3://raw/jobs/all"),
    # A folder varies: the root ends before the first that does.
    ("{{ var.value.exports }}/talkifai/{{ ds }}", "s3://raw/exports/talkifai"),
    ("{{ var.value.exports }}/talkifai/{{ ds }}/jobs", "s3://raw/exports/talkifai"),
    ("{{ var.value.exports }}/talkifai/day={{ ds }}/", "s3://raw/exports/talkifai"),
    ("s3://raw/{{ ds }}", "s3://raw"),
    ("s3://aws_default@raw/{{ ds }}", "s3://raw"),
    ("s3://{{ params.bucket }}/{{ ds }}", "s3://raw"),
    ("/data/exports/{{ ds }}", "file:///data/exports"),
    ("/data/{{ ds }}", "file:///data"),
    ("{{ var.value.local }}/{{ ds }}", "file:///data"),
    ("file://{{ var.value.local }}/jobs/{{ ds }}", "file:///data/jobs"),
    ("s3://raw/Verträge?/{{ ds }}", "s3://raw/Vertr%C3%A4ge%3F"),
    # Variables, connections and the DAG are the same in each run.
    ("s3://{{ var.value.bucket }}/{{ var.value.env }}/jobs/{{ ds }}", "s3://raw/prod/jobs"),
    ("{{ var.value.exports }}/{{ dag.dag_id | upper }}/{{ ds }}", "s3://raw/exports/NIGHTLY"),
    ("{{ var.value.exports }}/{{ var.value.env }}-{{ ds }}/jobs", "s3://raw/exports"),
    # A slash in braces separates no folders.
    ("s3://raw/{{ a / b }}/jobs", "s3://raw"),
    ("s3://raw/jobs/{{ (a / b) | int }}/{{ ds }}", "s3://raw/jobs"),
    ("s3://raw/jobs/{{ ds | replace('-', '/') }}/all", "s3://raw/jobs"),
    ("s3://raw/jobs/{{ {'a': {'b': '}}/'}}['a']['b'] }}/{{ ds }}", "s3://raw/jobs/}}"),
    ("s3://raw/jobs/{{ ds | default(dag_run.run_after | ds) }}", "s3://raw/jobs"),
    ("s3://raw/jobs/{%- if params.day %}{{ params.day }}/x{% else %}{{ ds }}{% endif %}/all", "s3://raw/jobs"),
    ("s3://raw/{% raw %}{a/b}{% endraw %}/{{ ds }}", "s3://raw"),
    # What comes first is taken to stay.
    ("{{ params.exports }}/jobs", "s3://raw/exports/jobs"),
    ("{{ params.exports }}/jobs/{{ ds }}", "s3://raw/exports/jobs"),
    # Nothing is known to stay: the folder above, or the bucket.
    ("{{ params.destination }}", "s3://raw/jobs"),
    ("{{ ti.xcom_pull('choose') }}/", "s3://raw/choose"),
    ("s3://{{ params.bucket }}", "s3://raw"),
    ("/{{ ds }}", "file:///2026-03-01"),
    ("{% if ds %}s3://raw/a{% else %}s3://raw/b{% endif %}/jobs/{{ ds }}", "s3://raw/a/jobs"),
    ("s3://raw{{ var.value.empty }}/jobs/{{ ds }}", "s3://raw/jobs"),
    ("/{{ var.value.empty }}/jobs/{{ ds }}", "file:///jobs"),
    ("/{{ var.value.empty }}/{{ ds }}/jobs", "file:///2026-03-01"),
]

MAPPED = [
    ("{{ var.value.exports }}/talkifai/{{ ds }}/batch-7", "s3://raw/exports/talkifai"),
    ("{{ var.value.exports }}/talkifai/{{ ti.map_index }}", "s3://raw/exports/talkifai"),
    ("{{ var.value.exports }}/talkifai/batch-7", "s3://raw/exports/talkifai"),
    ("s3://raw/jobs/batch-7", "s3://raw/jobs"),
    ("s3://raw/batch-7", "s3://raw"),
    ("s3://raw", "s3://raw"),
    ("/data/batch-7", "file:///data"),
]


def root(given: object, *, is_mapped: bool = False) -> str:
    """Return the root of a destination that Airflow's own code has rendered."""
    with DAG("nightly"):
        export = TalkifAIExportBatchJobsOperator(task_id="export", destination=given)  # type: ignore[arg-type]

    def render(content: Any) -> Any:
        return export.render_template(content, CONTEXT)  # type: ignore[arg-type]

    rendered = render(given)
    uri = asset_uri(destination_uri(rendered))
    found = root_uri(uri, given, rendered, is_mapped=is_mapped, render=render)
    assert f"{uri}/".startswith(f"{found}/")
    return found


@pytest.mark.parametrize(("template", "expected"), TEMPLATES)
def test_the_root_is_what_stays_of_a_destination(template: str, expected: str) -> None:
    assert root(template) == expected


@pytest.mark.parametrize(("template", "expected"), MAPPED)
def test_a_mapped_task_has_the_root_above_the_folders_of_its_indexes(template: str, expected: str) -> None:
    assert root(template, is_mapped=True) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/data/exports/{{ ds }}", "file:///data/exports"), ("/data/exports", "file:///data/exports")],
)
def test_a_path_object_is_like_its_text(path: str, expected: str) -> None:
    assert root(ObjectStoragePath(f"file://{path}")) == expected


def test_what_a_task_returns_has_the_folder_above_as_its_root_and_is_never_rendered() -> None:
    def render(template: str) -> object:
        raise AssertionError(template)

    with DAG("nightly"):
        choose = TalkifAIExportBatchJobsOperator(task_id="choose", destination="/data")
        uri, returned = "s3://raw/jobs/{{ params.key }}", "s3://raw/jobs/{{ params.key }}"
        given: list[object] = [XComArg(choose), choose.output["destination"]]

        @task_group
        def batch(destination: object) -> None:
            given.append(destination)

        batch.expand(destination=["s3://raw/a", "s3://raw/b"])
    assert len(given) == 3
    for value in given:
        assert root_uri(uri, value, returned, is_mapped=False, render=render) == "s3://raw/jobs"
    # Airflow does not render what a task is mapped to by expand(), so it comes as it is.
    assert root_uri(uri, returned, returned, is_mapped=True, render=render) == "s3://raw/jobs"


def test_a_destination_that_was_set_later_has_a_root_that_is_above_it() -> None:
    given, now = "s3://raw/exports/jobs/{{ ds }}", "s3://other/jobs"
    assert root_uri(now, given, now, is_mapped=False, render=lambda template: template) == now
