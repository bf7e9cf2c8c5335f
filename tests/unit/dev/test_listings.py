"""The benchmark's server serves every row once, whichever windows are asked for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.bench.listings import LISTINGS
from dev.bench.processes import server
from dev.bench.server import Behaviour, Pages

JOBS = 1234
PAGES = Pages()


def page(name: str, query: str, jobs: int = JOBS) -> Any:
    pieces = PAGES.body(LISTINGS[name].path, query, jobs)
    assert pieces is not None
    return json.loads(b"".join(pieces))


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


def follow(name: str, query: str) -> Iterator[str]:
    token: str | None = ""
    while token is not None:
        answer = page(name, f"{query}&page_token={token}")
        answer = answer.get("data", answer)
        yield from ids(answer.get("items") or answer.get("jobs"))
        token = answer["next_page_token"] or None


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("llamacloud.batches", "page_size=100"),
        ("llamacloud.batches", "page_size=7"),
        ("llamacloud.batches", "page_size=617"),
        ("playment.batch_jobs", ""),
    ],
)
def test_cursors_lead_to_every_row_once_and_in_order(name: str, query: str) -> None:
    assert list(follow(name, query)) == list(LISTINGS[name].ids(JOBS))


def test_a_listing_whose_pages_are_all_full_ends_without_an_empty_one() -> None:
    assert page("llamacloud.batches", "page_size=100", jobs=100)["next_page_token"] is None


@given(number=st.integers(1, 1300), size=st.integers(1, 100))
def test_any_numbered_window_holds_its_rows(number: int, size: int) -> None:
    answer = page("talkifai.batch_jobs", f"organizationId=o&page={number}&pageSize={size}")
    wanted = list(LISTINGS["talkifai.batch_jobs"].ids(JOBS))[(number - 1) * size :][:size]
    assert (ids(answer["batchJobs"]), answer["total"], answer["page"]) == (wanted, JOBS, number)


@given(offset=st.integers(0, 1300), limit=st.integers(1, 1000))
def test_any_offset_holds_its_rows(offset: int, limit: int) -> None:
    answer = page("llamacloud.batch_processing_jobs", f"offset={offset}&limit={limit}")
    assert ids(answer["items"]) == list(LISTINGS["llamacloud.batch_processing_jobs"].ids(JOBS))[offset:][:limit]


@pytest.mark.parametrize("name", LISTINGS)
def test_every_id_occurs_once(name: str) -> None:
    assert len(set(LISTINGS[name].ids(JOBS))) == JOBS


def test_more_rows_than_were_rendered_are_rendered_anew() -> None:
    pages = Pages()
    few, many = (pages.rows("playment.batch_jobs", jobs) for jobs in (10, 20))
    assert pages.rows("playment.batch_jobs", 15) is many is not few


def test_the_server_behaves_as_the_path_says() -> None:
    path = LISTINGS["llamacloud.batches"].path
    with server() as url:
        for behaviour in (Behaviour(3), Behaviour(3, latency=1), Behaviour(3, gzip=1)):
            asked = Request(url + behaviour.prefix + path, headers={"Accept-Encoding": "gzip"})
            with urlopen(asked) as answer:
                body = answer.read()
                assert (answer.headers["Content-Encoding"] == "gzip") == bool(behaviour.gzip)
            rows = json.loads(gzip.decompress(body) if behaviour.gzip else body)["items"]
            assert ids(rows) == list(LISTINGS["llamacloud.batches"].ids(3))
        with pytest.raises(HTTPError, match="404"):
            urlopen(url + Behaviour(3).prefix + "/elsewhere")
