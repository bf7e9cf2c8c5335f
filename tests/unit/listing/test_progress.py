from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.listing.progress import MOST_BARREN_PAGES, MOST_FALLS, Progress


@given(st.lists(st.integers(0, 3), max_size=2000))
def test_a_pass_that_may_step_back_takes_at_most_five_requests_for_a_row_and_101(pages: list[int]) -> None:
    progress, read, requests = Progress(rereads=True), 0, 0
    for fresh in pages:
        requests += 1
        read += fresh
        progress.advance(fresh, is_beyond=False)
        if progress.problem(read):
            break
    assert requests <= 5 * read + MOST_BARREN_PAGES + 1


def test_pages_beyond_all_rows_end_after_a_hundred_without_a_new_row() -> None:
    progress = Progress(rereads=False)
    for _ in range(MOST_BARREN_PAGES - 1):
        progress.advance(0, is_beyond=True)
    progress.advance(1, is_beyond=True)
    for _ in range(MOST_BARREN_PAGES - 1):
        progress.advance(0, is_beyond=True)
    assert progress.problem(1) is None
    progress.advance(0, is_beyond=True)
    assert progress.problem(1)


def test_steps_back_in_a_row_are_one_fall_and_a_new_row_forgets_them() -> None:
    progress = Progress(rereads=True)
    for _ in range(MOST_FALLS):
        for _ in range(10):
            progress.fall()
        progress.advance(1, is_beyond=False)
    for _ in range(MOST_FALLS - 1):
        progress.fall()
        progress.advance(0, is_beyond=False)
    assert progress.problem(9) is None
    progress.fall()
    assert progress.problem(9) == "returns no rows after the first 9"
