"""A listing that moves while it is read, by a task that is killed now and then, and in between."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.client.client import Client
from airflow_batch_provider.exceptions import IncompleteListingError
from airflow_batch_provider.export.export import export
from airflow_batch_provider.export.verifying import read_export
from airflow_batch_provider.listing.pages import read_pages
from tests.unit.export.exported import left_over, local, work
from tests.unit.export.test_resume import Countdown, Killed, mortal
from tests.unit.listing.test_moving_listings import BEGUN, LISTINGS, MOVING, SIZE_NAMES, Move, Vendor, moves

MOST_MOVES = st.lists(moves("join", "leave", "leave", "jump"), max_size=4)
KILLS = st.lists(st.tuples(st.integers(0, 80), MOST_MOVES), min_size=1, max_size=3)


class MortalVendor(Vendor):
    """Lets the task die at a request."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def send(self, request: Any, read: Callable[[Answer], Any]) -> Any:
        self.before()
        return super().send(request, read)


@pytest.mark.parametrize("name", LISTINGS)
@given(
    count=st.integers(0, 90),
    size=st.integers(8, 25),
    per_part=st.integers(3, 40),
    moving=MOVING,
    kills=KILLS,
)
@settings(max_examples=60)
def test_no_job_that_was_there_all_the_time_is_missing_however_often_the_task_is_killed(
    name: str, count: int, size: int, per_part: int, moving: dict[int, list[Move]], kills: list[tuple[int, list[Move]]]
) -> None:
    jobs = [f"j{number}" for number in range(count)]
    vendor = MortalVendor(name, list(jobs), moving)
    known = LISTINGS[name]
    request = known.request({"organization_id": "o", SIZE_NAMES[name]: size})

    def reading(*, begun: object, **options: Any) -> Any:
        # Jobs of this simulation are created before or after a moment of its own.
        return partial(read_pages, cast(Client, vendor), known, request)(begun=BEGUN, **options)

    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for kill, meanwhile in kills:
            count_down = Countdown(kill)
            vendor.before = count_down
            with mortal(count_down), suppress(Killed, IncompleteListingError):
                export(reading, local(folder), work(per_part))
            for move in meanwhile:
                move(vendor)
        vendor.before = lambda: None
        try:
            export(reading, local(folder), work(per_part))
        except IncompleteListingError:
            return  # it says so
        found = [row["id"] for row in read_export(folder.as_uri())]
        assert len(found) == len(set(found))
        assert set(found) >= set(jobs) - vendor.left
        assert left_over(folder) == set()
