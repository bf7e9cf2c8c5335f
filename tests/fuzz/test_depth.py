"""Nesting that one stack can read is not to stumble on a fuller one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_batch_provider.apis import talkifai
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.export.formats import Format
from tests.unit.export.rows import encode


def deeper(frames: int, job: Callable[[], bytes]) -> bytes:
    return deeper(frames - 1, job) if frames else job()


@pytest.mark.parametrize(
    "depth",
    [
        100,
        500,
        *(
            pytest.param(
                depth,
                marks=pytest.mark.xfail(strict=True, reason="apis/page.py sets no bound of its own to nesting"),
            )
            for depth in (850, 880)
        ),
        2000,
    ],
)
@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_what_was_read_is_written_however_full_the_stack_is(name: str, depth: int) -> None:
    body = f'{{"batchJobs":[{{"id":"a","new":{"[" * depth}1{"]" * depth}}}]}}'.encode()
    page = talkifai.BATCH_JOBS.page(body)
    if isinstance(page, Problem):
        return
    lines = [row.json for row in page.rows]
    assert deeper(120, lambda: encode(Format(name, columns=talkifai.BATCH_JOBS.columns), lines))
