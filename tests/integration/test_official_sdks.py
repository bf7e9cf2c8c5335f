"""The vendors' own SDKs list from the sandbox, over a real socket, the same ids as our hooks.

That is the proof that sandbox and hooks speak the vendors' language. What it says about LlamaCloud's v1 beta is also
why this project does not list with the SDK: it stops after one page when ``total_size`` is null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.sandbox import Sandbox, Settings, serve
from airflow_batch_provider.testing import connections

JOBS = 250


@pytest.fixture(scope="module", params=["absent", "null", "empty"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox whose time stands still, for each form of a last page."""
    with serve(Settings(jobs=JOBS, last_page=request.param), clock=lambda: 1_700_000_000.0) as running:
        yield running


@pytest.fixture
def expected_ids(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Gives the ids that our hooks list, by the listing's name."""
    for name, connection in connections(sandbox).items():
        monkeypatch.setenv(name, connection)
    listings = {
        "playment.batches": lambda: PlaymentHook().iter_batches(),
        "playment.batch_jobs": lambda: PlaymentHook().iter_batch_jobs(None, sandbox.how_to["playment"]["batch_id"]),
        "llamacloud.batches": lambda: LlamaCloudHook().iter_batches(page_size=7),
        "llamacloud.batch_processing_jobs": lambda: LlamaCloudHook().iter_batch_processing_jobs(limit=11),
    }
    return lambda listing: [row["id"] for row in listings[listing]()]


@pytest.fixture
def playment_client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Playment's SDK, its fixed base URL pointed at the sandbox."""
    playment = pytest.importorskip("playment")
    config = pytest.importorskip("playment.config")
    handler = pytest.importorskip("playment.client_handler")
    here = {name: url.replace(config.data["base_url"], sandbox.url) for name, url in config.apis.items()}
    monkeypatch.setattr(handler, "urls", config.json2obj(json.dumps(here)))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return playment.Client(sandbox.how_to["playment"]["api_key"])


@pytest.fixture
def llamacloud_client(sandbox: Sandbox) -> Iterator[Any]:
    """LlamaCloud's SDK."""
    llama_cloud = pytest.importorskip("llama_cloud")
    httpx = pytest.importorskip("httpx")
    with llama_cloud.LlamaCloud(
        api_key=sandbox.how_to["llamacloud"]["api_key"],
        base_url=sandbox.url,
        http_client=httpx.Client(trust_env=False),
    ) as client:
        if not hasattr(client, "batches"):
            pytest.skip("this llama_cloud has no v2 batches")
        yield client


def test_playment_lists_batches_and_jobs(
    sandbox: Sandbox, playment_client: Any, expected_ids: Callable[[str], list[str]]
) -> None:
    project_id, batch_id = (sandbox.how_to["playment"][name] for name in ("project_id", "batch_id"))
    project = playment_client.get_project_batches_summary(project_id)
    assert [batch.id for batch in project.batches] == expected_ids("playment.batches")

    jobs, token, pages = [], None, 0
    while token or not pages:
        summary = playment_client.get_batch_summary(batch_id, project_id, token)
        token = getattr(summary, "next_page_token", None)
        jobs += summary.jobs
        pages += 1
    assert [job.id for job in jobs] == expected_ids("playment.batch_jobs")
    assert (pages, len(jobs)) == (3, JOBS)
    done = next(job for job in jobs if job.status == "completed")
    result = playment_client.get_job_result(project_id, done.id)
    assert (result.job_id, result.batch_id, bool(result.result)) == (done.id, batch_id, True)


@pytest.mark.parametrize(
    ("project_id", "code"), [("11111111-2222-4333-8444-555555555555", "unauthorized"), ("x", "GE_0001")]
)
def test_playment_reads_the_failures(playment_client: Any, project_id: str, code: str) -> None:
    exception = pytest.importorskip("playment.exception").PlaymentException
    with pytest.raises(exception) as raised:
        playment_client.get_project_batches_summary(project_id)
    assert raised.value.code == code


def test_playment_reads_a_wrong_key(sandbox: Sandbox, playment_client: Any) -> None:
    exception = pytest.importorskip("playment.exception").PlaymentException
    wrong = type(playment_client)("wrong")
    with pytest.raises(exception) as raised:
        wrong.get_project_batches_summary(sandbox.how_to["playment"]["project_id"])
    assert raised.value.code == "auth-failure"


@pytest.mark.parametrize("page_size", [None, 1, 100])
def test_llamacloud_pages_through_v2_batches(
    llamacloud_client: Any, expected_ids: Callable[[str], list[str]], page_size: int | None
) -> None:
    batches = list(llamacloud_client.batches.list(**({"page_size": page_size} if page_size else {})))
    assert [batch.id for batch in batches] == expected_ids("llamacloud.batches")
    assert len(batches) == JOBS
    done = next(batch for batch in batches if batch.status == "COMPLETED")
    assert done.results is None
    assert llamacloud_client.batches.get(done.id, expand=["results"]).results is not None


def test_llamacloud_filters_v2_batches_by_time(llamacloud_client: Any) -> None:
    batches = list(llamacloud_client.batches.list(page_size=100))
    some = list(
        llamacloud_client.batches.list(
            page_size=10,
            created_at_on_or_after=batches[120].created_at,
            created_at_on_or_before=batches[80].created_at,
        )
    )
    assert some == batches[80:121]


def test_llamacloud_reads_the_failures(sandbox: Sandbox, llamacloud_client: Any) -> None:
    llama_cloud = pytest.importorskip("llama_cloud")
    with pytest.raises(llama_cloud.UnprocessableEntityError, match="page_size"):
        llamacloud_client.batches.list(page_size=101)
    with pytest.raises(llama_cloud.NotFoundError):
        llamacloud_client.batches.get("bat-none")
    with pytest.raises(llama_cloud.AuthenticationError):
        llamacloud_client.with_options(api_key="wrong").batches.list()


def test_llamacloud_stops_after_one_page_of_v1_jobs(
    sandbox: Sandbox, llamacloud_client: Any, expected_ids: Callable[[str], list[str]]
) -> None:
    if not hasattr(llamacloud_client.beta, "batch"):
        pytest.skip("this llama_cloud has no v1 batch processing")
    everything = expected_ids("llamacloud.batch_processing_jobs")
    assert len(everything) == JOBS
    before = len(sandbox.requests)
    assert [job.id for job in llamacloud_client.beta.batch.list(limit=20)] == everything[:20]
    assert len(sandbox.requests) == before + 1

    by_offset: list[str] = []
    while page := llamacloud_client.beta.batch.list(limit=20, offset=len(by_offset)).items:
        by_offset += [job.id for job in page]
    assert by_offset == everything
    status = llamacloud_client.beta.batch.get_status(everything[0])
    assert status.job.id == everything[0]
    assert 0 <= status.progress_percentage <= 100
