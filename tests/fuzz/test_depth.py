"""Nesting that one stack can read is not to stumble on a fuller one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.exceptions import UnexpectedResponseError
from airflow_batch_provider.export.parts import PartWriter
from airflow_batch_provider.export.staging import Staging
from airflow_batch_provider.formats.format import Format
from airflow_batch_provider.stores.destination import open_store
from airflow_batch_provider.vendors import talkifai


def deeper(frames: int, job: Callable[[], object]) -> object:
    return deeper(frames - 1, job) if frames else job()


@pytest.mark.parametrize("depth", [100, 500, 850, 880, 2000])
@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_what_was_read_is_written_however_full_the_stack_is_or_refused(name: str, depth: int, tmp_path: Path) -> None:
    body = f'{{"batchJobs":[{{"id":"a","new":{"[" * depth}1{"]" * depth}}}]}}'.encode()
    page = talkifai.BATCH_JOBS.page(Answer(200, {}, body))
    if isinstance(page, Problem):
        assert depth > 800
        return
    store = open_store(str(tmp_path))
    writer = PartWriter(store, Staging(store, "work"), Format(name, columns=talkifai.BATCH_JOBS.columns), 10)
    try:
        deeper(120, lambda: writer.write(page.rows))
    except UnexpectedResponseError:
        assert depth > 800
    finally:
        writer.abandon()
