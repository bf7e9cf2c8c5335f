"""What the benchmark measures is right: its server serves every row once, and an export that lacks one fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.bench import batch, runs
from dev.bench.cases import HTTP_OPERATOR, LIBRARIES, LIMIT, OURS, SCRIPT, SDK, Case, Entry
from dev.bench.measured import digest_of, exported_ids, write_with_files
from dev.bench.server import CURSOR, NUMBERED, Listing, Pages, server

JOBS = 1234
PAGES = Pages()


def page(listing: Listing, query: str, jobs: int = JOBS) -> Any:
    pieces = PAGES.body(listing.path, query, jobs)
    assert pieces is not None
    return json.loads(b"".join(pieces))


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


def follow(query: str) -> Iterator[str]:
    token: str | None = "0"
    while token is not None:
        answer = page(CURSOR, f"{query}&page_token={token}")
        yield from ids(answer["items"])
        token = answer["next_page_token"]


@pytest.mark.parametrize("size", [100, 7, 617])
def test_cursors_lead_to_every_row_once_and_in_order(size: int) -> None:
    assert list(follow(f"page_size={size}")) == list(CURSOR.ids(JOBS))


def test_a_listing_whose_pages_are_all_full_ends_without_an_empty_one() -> None:
    assert page(CURSOR, "page_size=100", jobs=100)["next_page_token"] is None


@given(number=st.integers(1, 1300), size=st.integers(1, 100))
def test_any_numbered_page_contains_its_rows(number: int, size: int) -> None:
    answer = page(NUMBERED, f"organizationId=o&page={number}&pageSize={size}")
    wanted = list(NUMBERED.ids(JOBS))[(number - 1) * size :][:size]
    assert (ids(answer["batchJobs"]), answer["total"], answer["page"]) == (wanted, JOBS, number)


@pytest.mark.parametrize("listing", [CURSOR, NUMBERED], ids=lambda listing: str(listing.name))
def test_every_id_occurs_once(listing: Listing) -> None:
    assert len(set(listing.ids(JOBS))) == JOBS


def test_more_rows_than_were_rendered_are_rendered_again() -> None:
    pages = Pages()
    for jobs in (10, 20, 15):
        pieces = pages.body(NUMBERED.path, "pageSize=100", jobs)
        assert pieces is not None
        assert ids(json.loads(b"".join(pieces))["batchJobs"]) == list(NUMBERED.ids(jobs))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with server() as running:
        yield running


def test_the_server_behaves_as_the_path_asks(url: str) -> None:
    for latency in (0, 1):
        with urlopen(f"{url}/3/{latency}{CURSOR.path}") as answer:
            assert ids(json.load(answer)["items"]) == list(CURSOR.ids(3))
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"{url}/3/0/elsewhere")


def test_a_lost_or_repeated_id_changes_the_digest() -> None:
    assert digest_of(["b", "a"]) == digest_of(["a", "b"])
    assert len({digest_of(ids) for ids in (["a", "b"], ["a"], ["a", "a"], ["a", "a", "b"])}) == 4


@given(number=st.integers(0, 10**6))
def test_the_number_of_a_file_can_be_read_from_its_id(number: int) -> None:
    assert batch.number_of(batch.identifier("pjb", number)) == number


def test_the_directory_of_a_batch_has_every_file_once() -> None:
    found: list[str] = []
    token: str | None = "0"
    while token is not None:
        answer = batch.answer(batch.DIRECTORY, f"page_size=100&page_token={token}", 250, "")
        assert isinstance(answer, bytes)
        found += ids(json.loads(answer)["items"])
        token = json.loads(answer)["next_page_token"]
    assert found == [batch.identifier("dfl", number) for number in range(250)]


def test_a_file_of_the_server_has_the_size_and_the_bytes_that_are_expected(url: str) -> None:
    with urlopen(f"{url}/3/0{batch.FILES}{batch.identifier('pjb', 0)}.pdf") as answer:
        content = answer.read()
    assert len(content) == batch.SMALL
    assert content == b"".join(batch.pdf(3).blocks)
    assert {one.split()[1] for one in batch.PDF.ids(3)} == {sha256(content).hexdigest()}
    assert sum(map(len, batch.pdf(1).blocks)) == batch.LARGE


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    write_with_files(str(tmp_path), [("a", {}, b"one"), ("b", {}, b"two")])
    before = digest_of(exported_ids(str(tmp_path), "*"))
    (tmp_path / "files" / "b.md").write_bytes(b"tw")
    assert digest_of(exported_ids(str(tmp_path), "*")) != before
    assert before[0] == 2


CURSOR_CASE, NUMBERED_CASE = Case("cursor", [], 350), Case("numbers", [], 350, 0, NUMBERED, 2)
MARKDOWN_CASE, PDF_CASE = Case("results", [], 130, 0, batch.MARKDOWN, 4), Case("files", [], 5, 0, batch.PDF, 4)


@pytest.mark.parametrize(
    ("case", "entry"),
    [
        *((CURSOR_CASE, Entry(peer)) for peer in (OURS, LIBRARIES, HTTP_OPERATOR, SCRIPT, SDK, LIMIT)),
        *((CURSOR_CASE, Entry(peer, "parquet")) for peer in (OURS, LIBRARIES)),
        *((NUMBERED_CASE, Entry(peer)) for peer in (OURS, HTTP_OPERATOR, SCRIPT, LIMIT)),
        *((MARKDOWN_CASE, Entry(peer)) for peer in (OURS, SCRIPT, SDK, LIMIT)),
        (PDF_CASE, Entry(OURS)),
    ],
    ids=lambda value: value.title if isinstance(value, Entry | Case) else None,
)
def test_every_peer_exports_every_row_once(url: str, case: Case, entry: Entry) -> None:
    in_this_environment = entry._replace(peer=entry.peer._replace(environment=""))
    outcome = runs.run(url, case, in_this_environment)
    assert outcome.failure == ""
    if entry.peer != LIMIT:
        assert outcome.runs[0].rows == case.jobs


def test_an_export_that_lacks_a_row_fails(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "expected", lambda listing, jobs: digest_of(listing.ids(jobs + 1)))
    outcome = runs.run(url, CURSOR_CASE, Entry(LIBRARIES))
    assert outcome.failure == "exported 350 rows of 350, or not the right ones"
    assert not outcome.runs
