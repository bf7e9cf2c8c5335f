"""What cannot be read costs itself, and nothing beside it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.page import Page
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.triggers.batch import BatchFinishedEventTrigger, BatchStatusTrigger
from airflow_batch_provider.vendors import llamacloud, playment, talkifai
from airflow_batch_provider.waiting.forgiving import MOST_NESTING, NO_ID, ForgivingListing, load, repair_page
from airflow_batch_provider.waiting.kinds import KINDS
from airflow_batch_provider.waiting.pollers import poller_for
from tests.unit.waiting.fake_vendor import (
    BATCH,
    LISTED,
    PLAYMENT,
    SCOPES,
    TALKIFAI,
    event_of,
    poller,
    serving,
    states,
    trigger,
)
from tests.unit.waiting.fragile import KIND
from tests.vendor_server import Answer as Said

BAD_VALUES = {
    "a number of 5,000 digits": "9" * 5000,
    "a negative one": f"-{'9' * 5000}",
    "a number beyond every float": "1e999",
    "NaN": "NaN",
    "arrays nested 5,000 deep": "[" * 5000 + "]" * 5000,
    "objects nested 1,200 deep": '{"a":' * 1200 + "1" + "}" * 1200,
    "a lone surrogate": r'"\ud83d"',
    "brackets in a text": '"[[[{{{\\""',
    "a text that is no UTF-8": '"\xff"',
}
BAD_ROWS = {
    "no id": "{}",
    "an id that is null": '{"id": null}',
    "an id that is a list": '{"id": ["a"]}',
    "a blank id": '{"id": " "}',
    "no object": '"a"',
    "null": "null",
    "a status that is an object": '{"id": "x", "status": {}}',
}
LISTINGS = {listing.name: listing for listing in (playment.BATCHES, llamacloud.BATCHES, talkifai.BATCH_JOBS)}


def page_of(name: str, *rows: str) -> bytes:
    """Return a page with rows as its listing has them."""
    path = LISTINGS[name].bodies[0].rows.split(".")
    body = f"[{', '.join(rows)}]"
    for key in reversed(path):
        body = f'{{"{key}": {body}}}'
    return body.encode("latin-1")


def ids_in(name: str, body: bytes) -> list[str]:
    page = ForgivingListing.of(LISTINGS[name]).page(Answer(200, {}, body))
    assert isinstance(page, Page)
    return [str(row_id) for row_id in page.rows.ids]


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
@pytest.mark.parametrize("name", LISTINGS)
def test_a_row_with_what_no_parser_takes_is_read_without_it(name: str, value: str) -> None:
    body = page_of(name, '{"id": "a", "status": "s"}', f'{{"id": "b", "x": {value}}}')
    assert ids_in(name, body) == ["a", "b"]


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
@pytest.mark.parametrize("name", LISTINGS)
def test_a_row_without_an_id_gets_one_that_says_so(name: str, row: str) -> None:
    first, second = ids_in(name, page_of(name, row, '{"id": "a"}'))
    assert first == "x" or first.startswith(NO_ID)
    assert second == "a"


def test_json_lines_are_read_line_by_line() -> None:
    body = b'{"id": "a"}\n{"id": \n{"id": "b", "x": NaN}\n'
    repaired = repair_page((Body(is_lines=True),), body)
    assert repaired is not None
    first, second, third = (json.loads(line)["id"] for line in repaired.splitlines())
    assert (first, second[: len(NO_ID)], third) == ("a", NO_ID, "b")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(json_values)
def test_what_can_be_read_is_read_as_it_is(value: Any) -> None:
    assert load(json.dumps(value)) == value
    assert (
        load(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        is not ...
    )


@given(json_values, st.integers(MOST_NESTING + 1, 3000))
def test_what_is_nested_too_deeply_becomes_null_and_all_else_stays(value: Any, depth: int) -> None:
    text = f'{{"before": {json.dumps(value)}, "deep": {"[" * depth}1{"]" * depth}, "after": {json.dumps(value)}}}'
    found = load(text)
    assert (found["before"], found["after"]) == (value, value)


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES)
@pytest.mark.parametrize("kind", [*LISTED, PLAYMENT])
def test_another_batchs_unreadable_row_delays_no_wait(kind: str, value: str) -> None:
    with serving(kind, "a", "b") as vendor:
        vendor.batches["b"]["x"] = "HERE"

        def swap(path: str, query: Any) -> Said:
            vendor.fault = None
            answer = vendor("GET", path, dict(query), {})
            vendor.fault = swap
            assert isinstance(answer.body, bytes)
            return Said(answer.status, answer.body.replace(b'"HERE"', value.encode("latin-1")), answer.headers)

        vendor.fault = swap
        vendor.finish("a", "b")
        for batch_id in "ab":
            assert asyncio.run(event_of(trigger(batch_id, kind)))["error"] is None
        watcher = BatchFinishedEventTrigger(
            kind=kind, connection_id=f"{kind.partition('.')[0]}_default", scope=SCOPES[kind]
        )

        async def poll() -> list[tuple[str, dict[str, Any]]]:
            return await anext(BatchFinishedEventTrigger.open_shared_stream(watcher.serialize()[1]))

        assert {batch_id for batch_id, _ in asyncio.run(poll())} == {"a", "b"}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
def test_another_batchs_row_without_an_id_delays_no_wait_on_its_project(row: str) -> None:
    with serving(PLAYMENT, "a") as vendor:
        vendor.finish("a")
        listed = json.dumps(vendor.batches["a"])
        vendor.fault = lambda path, query: Said(
            body=f'{{"success": true, "data": {{"batches": [{row}, {listed}]}}}}'.encode()
        )
        assert asyncio.run(event_of(trigger("a", PLAYMENT)))["error"] is None


@pytest.mark.parametrize("row", [row for name, row in BAD_ROWS.items() if "status" not in name])
def test_a_project_with_a_row_that_cannot_be_read_is_not_finished(row: str) -> None:
    with serving(PLAYMENT, "a") as vendor:
        vendor.finish("a")
        listed = json.dumps(vendor.batches["a"])
        rows = f"{row}, {listed}"
        vendor.fault = lambda path, query: Said(body=f'{{"data": {{"batches": [{rows}]}}}}'.encode())

        async def wait() -> None:
            project = poller_for(KINDS[PLAYMENT], "playment_default", SCOPES[PLAYMENT])
            assert not any(state.outcome.is_terminal for state in await states(project, "*", 3))

        asyncio.run(wait())


def test_a_watcher_of_an_exact_listing_goes_on_beside_a_row_without_an_id() -> None:
    with serving(TALKIFAI, *map(str, range(250))) as vendor:
        vendor.finish(*vendor.batches)
        vendor.batches["50"]["id"] = None
        watcher = BatchFinishedEventTrigger(
            kind=TALKIFAI, connection_id="talkifai_default", scope=SCOPES[TALKIFAI], poll_interval=0.01
        )

        async def poll() -> list[tuple[str, dict[str, Any]]]:
            return await anext(BatchFinishedEventTrigger.open_shared_stream(watcher.serialize()[1]))

        assert len(asyncio.run(poll())) == 249


@pytest.mark.parametrize("written", ["3.0", '"3"', "3", str(2**70)])
def test_a_counter_counts_however_it_is_written(written: str) -> None:
    with serving(TALKIFAI, "a") as vendor:
        vendor.fault = lambda path, query: Said(
            body=f'{{"id": "a", "status": "completed", "failedCalls": {written}}}'.encode()
        )
        event = asyncio.run(event_of(trigger("a", fail_on_item_failures=True)))
    assert event["error"] == "BatchItemsFailedError"


def test_an_answer_about_another_batch_is_no_success() -> None:
    with serving(BATCH, "a") as vendor:
        vendor.finish("a", id="b")
        event = asyncio.run(event_of(trigger("a", BATCH)))
    assert event["error"] == "UnexpectedResponseError"
    assert "about 'b'" in event["message"]


@pytest.mark.parametrize(
    ("asked", "answered", "error"),
    [
        ("0A1B2C3D-0000-4000-8000-0123456789AB", "0a1b2c3d-0000-4000-8000-0123456789ab", None),
        ("bat-0a1b2c3d-0000-4000-8000-0123456789ab", "BAT-0A1B2C3D-0000-4000-8000-0123456789AB", None),
        ("Ab3X", "aB3x", "UnexpectedResponseError"),
        ("strasse", "straße", "UnexpectedResponseError"),
    ],
)
def test_only_the_digits_of_a_uuid_may_differ_in_case(asked: str, answered: str, error: str | None) -> None:
    with serving(BATCH, asked) as vendor:
        vendor.finish(asked, id=answered)
        assert asyncio.run(event_of(trigger(asked, BATCH)))["error"] == error


def test_a_declaration_that_fails_ends_the_wait_for_its_own_batch() -> None:
    def of_kind(batch_id: str) -> BatchStatusTrigger:
        return BatchStatusTrigger(
            kind=KIND.name, connection_id="llamacloud_default", batch_id=batch_id, scope={}, poll_interval=0.02
        )

    with serving(BATCH, "a", "b", "c", "d") as vendor:
        vendor.batches["c"]["request_counts"] = None

        async def wait() -> tuple[dict[str, Any], list[dict[str, Any]]]:
            waiting = {id_: asyncio.create_task(event_of(of_kind(id_))) for id_ in "abcd"}
            failed = await waiting.pop("c")
            assert not any(task.done() for task in waiting.values())
            vendor.finish(*waiting)
            return failed, await asyncio.gather(*waiting.values())

        failed, others = asyncio.run(wait())
    assert failed["error"] == "UnexpectedResponseError"
    assert "batch 'c' cannot be read: TypeError" in failed["message"]
    assert {event["error"] for event in others} == {None}


def test_the_same_row_is_not_read_twice() -> None:
    async def look_twice() -> None:
        first, second = await states(poller(PLAYMENT), "a", 2)
        assert first is second

    with serving(PLAYMENT, "a"):
        asyncio.run(look_twice())
