"""The data behind the APIs: pages by arithmetic are those of a plain filter, and time only moves forward."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.sandbox.llamacloud_tokens import position_of, token_of
from airflow_batch_provider.sandbox.settings import Settings
from airflow_batch_provider.sandbox.world import LIVES, PERIOD, Matches, World, utc

ORDER = ["waiting", "running", "completed", "failed", "cancelled"]


@given(
    begin=st.integers(0, 200),
    rows=st.integers(0, 400),
    kept=st.sets(st.integers(0, PERIOD - 1)),
    start=st.integers(0, 500),
    count=st.integers(0, 500),
)
def test_matches_are_those_of_a_plain_filter(begin: int, rows: int, kept: set[int], start: int, count: int) -> None:
    plain = [index for index in range(begin, begin + rows) if index % PERIOD in kept]
    found = Matches.of(range(begin, begin + rows), lambda index: index % PERIOD in kept)
    assert found.rows(start, count) == plain[start : start + count]
    assert len(found) == len(plain)
    assert found.total(lambda index: index % PERIOD) == sum(index % PERIOD for index in plain)


@given(seed=st.integers(0, 100), index=st.integers(0, 10_000), times=st.lists(st.floats(0, 200)))
def test_a_batch_only_moves_forward(seed: int, index: int, times: list[float]) -> None:
    world = World(Settings(seed=seed, duration=100), lambda: 1_700_000_000.0)
    before = world.progress(index, 0)
    for elapsed in sorted(times):
        now = world.progress(index, elapsed)
        assert world.stage(index, elapsed) == world.stage(index + PERIOD, elapsed) == now.stage
        assert ORDER.index(now.stage) >= ORDER.index(before.stage)
        assert before.done <= now.done <= 1
        assert before.updated <= now.updated
        assert world.created(index) < (now.started or now.updated) <= (now.ended or now.updated) or (
            now.stage == "waiting"
        )
        before = now
    assert world.progress(index, 100).stage in ("completed", "failed", "cancelled")


def test_every_course_of_events_occurs_in_a_period() -> None:
    world = World(Settings())
    assert {world.life(index) for index in range(len(LIVES))} == set(LIVES)


def test_without_duration_everything_is_finished_at_the_start() -> None:
    world = World(Settings(duration=0))
    assert {world.progress(index, 0.0).stage for index in range(PERIOD)} == {
        "completed",
        "failed",
        "cancelled",
    }


@given(index=st.integers(0, 999_999), kind=st.text(max_size=5), seed=st.integers())
def test_an_id_is_found_again_and_no_other(index: int, kind: str, seed: int) -> None:
    world = World(Settings(seed=seed))
    uuid = world.uuid(kind, index)
    assert world.find(kind, uuid, index + 1) == index
    assert world.find(kind, uuid, index) is None
    assert world.find(kind + "x", uuid, index + 1) is None
    assert world.find(kind, uuid.upper() + " ", index + 1) is None


@pytest.mark.parametrize("text", ["", "x", "-00000000001", "é" * 12, "0x0000000000", "1_1_1_1_1_1_"])
def test_what_is_no_id_is_not_found(text: str) -> None:
    assert World(Settings()).find("kind", text, 1_000_000) is None


@given(position=st.integers(0, 1_000_000))
def test_a_token_is_read_back_and_has_what_a_url_must_encode(position: int) -> None:
    token = token_of(position)
    assert position_of(token, position) == position
    assert position_of(token, position - 1) is None
    assert all(sign in token for sign in "+/=")


@given(milliseconds=st.integers(-(10**12), 10**13))
def test_times_are_those_of_the_standard_library(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
    assert utc(milliseconds) == moment.isoformat(timespec="milliseconds")
