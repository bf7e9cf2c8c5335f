"""How submitted work proceeds: a pure function of its times and of the clock."""

from __future__ import annotations

import pytest

from airflow_batch_provider.sandbox.runs import Run


@pytest.mark.parametrize(
    ("now", "stage", "items"),
    [
        (99, "waiting", ["waiting", "waiting", "waiting"]),
        (100, "running", ["running", "waiting", "waiting"]),
        (133, "running", ["completed", "running", "waiting"]),
        (199, "running", ["completed", "completed", "running"]),
        (200, "completed", ["completed", "completed", "completed"]),
    ],
)
def test_items_are_worked_off_one_after_the_other(now: int, stage: str, items: list[str]) -> None:
    run = Run(100, 200, 3)
    assert run.stage(now) == stage
    assert [run.item_stage(item, now) for item in range(3)] == items
    assert run.done(now) == items.count("completed")


@pytest.mark.parametrize(
    ("cancelled", "over", "items"),
    [
        (50, 50, ["cancelled", "cancelled", "cancelled"]),
        (100, 133, ["completed", "cancelled", "cancelled"]),
        (150, 166, ["completed", "completed", "cancelled"]),
        (199, 200, ["completed", "completed", "completed"]),
    ],
)
def test_a_cancelled_run_ends_with_the_item_that_it_is_busy_with(cancelled: int, over: int, items: list[str]) -> None:
    run = Run(100, 200, 3, cancelled)
    assert run.over == over
    assert run.stage(over - 1) == ("running" if over > 100 else "waiting")
    assert run.stage(over) == "cancelled"
    assert [run.item_stage(item, over) for item in range(3)] == items
    assert run.done(over) == items.count("completed")


@pytest.mark.parametrize("items", [0, 1, 7, 1000])
@pytest.mark.parametrize("length", [0, 1, 5, 999, 10_000])
def test_the_number_of_items_that_are_done_is_that_of_the_windows(items: int, length: int) -> None:
    run = Run(10, 10 + length, items)
    for now in {9, 10, 11, 10 + length // 2, 9 + length, 10 + length}:
        ended = sum(run.window(item)[1] <= now for item in range(items)) if now >= 10 else 0
        assert run.done(now) == ended
        assert [run.item_stage(item, now) for item in range(items)].count("completed") == ended
