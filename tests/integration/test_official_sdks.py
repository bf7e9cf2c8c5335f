"""The vendors' own SDKs list from the sandbox, over a real socket, the same ids as our hooks.

That is the proof that sandbox and hooks speak the vendors' language. What it says about LlamaCloud's v1 beta is also
why this project does not list with the SDK: it stops after one page when ``total_size`` is null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import reduce
from typing import Any

import pytest
import requests

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.sandbox import Sandbox, Settings, annotation, documents, serve
from airflow_batch_provider.sandbox.llamacloud_directories import display_name
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


def led_here(config: Any, url: str) -> dict[str, str]:
    """Gives the SDK's fixed addresses, on both of its hosts, as those of a sandbox."""
    hosts = (config.data["base_url"], "https://api.playment.in")
    return {name: reduce(lambda text, host: text.replace(host, url), hosts, api) for name, api in config.apis.items()}


@pytest.fixture
def playment_client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Playment's SDK, its fixed base URL pointed at the sandbox."""
    playment = pytest.importorskip("playment")
    config = pytest.importorskip("playment.config")
    handler = pytest.importorskip("playment.client_handler")
    monkeypatch.setattr(handler, "urls", config.json2obj(json.dumps(led_here(config, sandbox.url))))
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


def fetch(url: str, headers: dict[str, str] | None = None) -> requests.Response:
    """Gets an address without following it, and without whatever proxy the machine has."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, allow_redirects=False, timeout=10)


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


def test_playment_reads_a_result_whose_attachment_leads_to_the_file(sandbox: Sandbox, playment_client: Any) -> None:
    page = sandbox.how_to["results"]["playment.batch_jobs"]
    for shape in ("image", "video", "segmentation"):
        result = playment_client.get_job_result(sandbox.how_to["playment"]["project_id"], page["job_ids"][shape])
        key = {"x-api-key": sandbox.how_to["playment"]["api_key"]}
        hop = fetch(result.result, key)
        urls = sandbox.url, sandbox.files_url
        assert fetch(hop.headers["Location"]).json() == annotation.result_of(result.job_id, *urls)


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


def test_llamacloud_reads_what_a_parse_batch_produced(sandbox: Sandbox, llamacloud_client: Any) -> None:
    page = sandbox.how_to["results"]["llamacloud.batches (parse)"]
    batch = llamacloud_client.batches.get(page["batch_id"], expand=["results"])
    jobs = [result.job_reference.id for result in batch.results if result.job_reference]
    there = [job for job in jobs if documents.kind_of(job) != "expired"]
    assert [job.id for job in llamacloud_client.parsing.list(job_ids=jobs, page_size=7)] == there
    files = llamacloud_client.beta.directories.files.list(batch.source_directory_id, include_deleted=True, page_size=15)
    names = {file.id: file.display_name for file in files}
    assert [names[result.source_directory_file_id] for result in batch.results] == [
        display_name(file) for file in range(len(batch.results))
    ]

    expand = ["markdown", "markdown_full", "text", "text_full", "items", "metadata", "forms"]
    kinds = [f"{name}_content_metadata" for name in ("markdown", "xlsx", "output_pdf", "images")]
    for job_id in there:
        parsed = llamacloud_client.parsing.get(job_id, expand=expand + kinds)
        if parsed.job.status != "COMPLETED":
            assert parsed.markdown is None
            continue
        assert (parsed.markdown_full, parsed.text_full) == (documents.markdown_of(job_id), documents.text_of(job_id))
        failed = [page.page_number for page in parsed.markdown.pages if not page.success]
        assert failed == ([documents.FAILED_PAGE] if documents.kind_of(job_id) == "failed_pages" else [])
        assert [page.text for page in parsed.text.pages] == [
            documents.text_page(job_id, number) for number in documents.page_numbers(job_id)
        ]
        url = parsed.result_content_metadata["markdown"].presigned_url
        assert fetch(url).content.decode() == documents.markdown_of(job_id)
        images = [image.filename for image in parsed.images_content_metadata.images]
        assert images == documents.image_names(job_id)


def test_llamacloud_reads_what_an_extract_batch_produced(sandbox: Sandbox, llamacloud_client: Any) -> None:
    page = sandbox.how_to["results"]["llamacloud.batches (extract)"]["job_ids"]
    job = llamacloud_client.extract.get(page["plain"], expand=["extract_metadata"])
    assert job.status == "COMPLETED"
    # The reason why this project reads results without the SDK: it reads each number as a float.
    rows = job.extract_result if isinstance(job.extract_result, list) else [job.extract_result]
    assert rows[0]["account"] == 9007199254740992.0
    raw = llamacloud_client.extract.with_raw_response.get(page["plain"])
    assert '"account":9007199254740993' in raw.http_response.text
    listed = {job.id: job for job in llamacloud_client.extract.list(job_ids=list(page.values()))}
    assert set(page.values()) - set(listed) == {page["expired"]}
    assert listed[page["unlisted"]].extract_result is None
    assert listed[page["failed"]].error_message


def test_llamacloud_reads_that_results_expired(sandbox: Sandbox, llamacloud_client: Any) -> None:
    llama_cloud = pytest.importorskip("llama_cloud")
    results = sandbox.how_to["results"]
    with pytest.raises(llama_cloud.NotFoundError):
        llamacloud_client.parsing.get(results["llamacloud.batches (parse)"]["job_ids"]["expired"])
    with pytest.raises(llama_cloud.NotFoundError):
        llamacloud_client.extract.get(results["llamacloud.batches (extract)"]["job_ids"]["expired"])
    batch = llamacloud_client.batches.get(results["llamacloud.batches (parse)"]["batch_id_without_directory"])
    with pytest.raises(llama_cloud.NotFoundError):
        llamacloud_client.beta.directories.files.list(batch.source_directory_id)


def test_llamacloud_reads_the_items_of_v1_jobs(sandbox: Sandbox, llamacloud_client: Any) -> None:
    if not hasattr(llamacloud_client.beta, "batch"):
        pytest.skip("this llama_cloud has no v1 batch processing")
    page = sandbox.how_to["results"]["llamacloud.batch_processing_jobs"]
    items = llamacloud_client.beta.batch.job_items.list(page["id"], limit=1000).items
    status = llamacloud_client.beta.batch.get_status(page["id"])
    assert len(items) == status.job.total_items
    item = next(item for item in items if item.job_id == page["job_ids"]["plain"])
    runs = llamacloud_client.beta.batch.job_items.get_processing_results(item.item_id)
    assert [run.job_type for run in runs.processing_results] == ["parse", "parse", "classify"]


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


@pytest.fixture
def writable() -> Iterator[Callable[..., tuple[Sandbox, Clock]]]:
    """Starts a sandbox to write to, and a clock for it that the test moves."""
    with ExitStack() as stack:

        def started(**settings: Any) -> tuple[Sandbox, Clock]:
            clock = Clock()
            return stack.enter_context(serve(Settings(jobs=5, **settings), clock)), clock

        yield started


class Clock:
    """Unix seconds, moved by hand."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def llamacloud_at(sandbox: Sandbox) -> Any:
    """Gives LlamaCloud's SDK, which sends each request once."""
    llama_cloud, httpx = pytest.importorskip("llama_cloud"), pytest.importorskip("httpx")
    client = llama_cloud.LlamaCloud(
        api_key=sandbox.how_to["llamacloud"]["api_key"],
        base_url=sandbox.url,
        http_client=httpx.Client(trust_env=False),
        max_retries=0,
    )
    if not hasattr(client, "batches"):
        pytest.skip("this llama_cloud has no v2 batches")
    return client


def test_llamacloud_submits_a_batch_and_reads_its_results(writable: Callable[..., tuple[Sandbox, Clock]]) -> None:
    sandbox, clock = writable(run_seconds=10)
    contents = {"a ü.pdf": b"first", "b.pdf": b"second", "fail.pdf": b"third", "unmappable.pdf": b"fourth"}
    with llamacloud_at(sandbox) as client:
        directory = client.beta.directories.create(name="mine", type="ephemeral")
        assert [found.id for found in client.beta.directories.list(name="mine")] == [directory.id]
        files = {
            name: client.beta.directories.files.upload(
                directory.id, upload_file=(name, content), unique_id=f"{n}-x", metadata=json.dumps({"n": n})
            )
            for n, (name, content) in enumerate(contents.items())
        }
        assert [file.metadata["n"] for file in client.beta.directories.files.list(directory.id)] == [0, 1, 2, 3]
        (second,) = client.beta.directories.files.list(directory.id, unique_id="1-x")
        assert second.display_name == "b.pdf"
        batch = client.batches.create(
            source_directory_id=directory.id,
            config={"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}},
        )
        seen = [batch.status]
        while seen[-1] not in ("COMPLETED", "FAILED", "CANCELLED"):
            clock.now += 4
            batch = client.batches.get(batch.id, expand=["results"])
            seen.append(batch.status)
        assert seen == ["PENDING", "RUNNING", "RUNNING", "COMPLETED"]
        assert [found.id for found in client.batches.list(source_directory_id=directory.id)] == [batch.id]
        outcomes = {}
        for name, result in zip(contents, batch.results, strict=True):
            assert result.source_directory_file_id == files[name].id
            if result.job_reference:
                parsed = client.parsing.get(result.job_reference.id, expand=["markdown_full"])
                outcomes[name] = parsed.job.status
                sha256 = hashlib.sha256(contents[name]).hexdigest()
                assert parsed.markdown_full is None or (name in parsed.markdown_full and sha256 in parsed.markdown_full)
        assert outcomes == {"a ü.pdf": "COMPLETED", "b.pdf": "COMPLETED", "fail.pdf": "FAILED"}
        client.beta.directories.delete(directory.id)
        assert list(client.beta.directories.list(name="mine")) == []
    journal = sandbox.journal.llamacloud
    assert [journal.directories.total, journal.files.total, journal.batches.total] == [1, 4, 1]


def test_llamacloud_extracts_with_a_configuration_of_its_own(writable: Callable[..., tuple[Sandbox, Clock]]) -> None:
    sandbox, _ = writable(run_seconds=0)
    with llamacloud_at(sandbox) as client:
        parameters = {"product_type": "extract_v2", "data_schema": {"type": "object"}, "extraction_target": "per_doc"}
        configuration = client.configurations.create(name="mine", parameters=parameters)
        assert [found.id for found in client.configurations.list(name="mine")] == [configuration.id]
        stored = client.files.create(file=("a.pdf", b"content"), purpose="extract", external_file_id="e")
        assert [found.id for found in client.files.list(external_file_id="e")] == [stored.id]
        directory = client.beta.directories.create(name="mine")
        client.beta.directories.files.add(directory.id, file_id=stored.id)
        batch = client.batches.create(
            source_directory_id=directory.id,
            config={"job": {"type": "extract_v2", "configuration_id": configuration.id}},
        )
        (result,) = client.batches.get(batch.id, expand=["results"]).results
        job = client.extract.get(result.job_reference.id)
        assert job.extract_result["file_name"] == "a.pdf"
        assert job.extract_result["sha256"] == hashlib.sha256(b"content").hexdigest()


def test_llamacloud_cancels_a_batch(writable: Callable[..., tuple[Sandbox, Clock]]) -> None:
    sandbox, clock = writable(run_seconds=10)
    with llamacloud_at(sandbox) as client:
        directory = client.beta.directories.create(name="mine")
        client.beta.directories.files.upload(directory.id, upload_file=("a", b""))
        job = {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}
        batch = client.batches.create(source_directory_id=directory.id, config={"job": job})
        clock.now += 5
        # The SDK cancels batches from 2.14 on, which dropped what the other tests need.
        cancel = getattr(client.batches, "cancel", None)
        cancel = cancel or (lambda name: client.post(f"/api/v2/batches/{name}/cancel", cast_to=object))
        cancel(batch.id)
        clock.now += 5
        assert client.batches.get(batch.id).status == "CANCELLED"


def test_llamacloud_reads_how_creates_are_refused(writable: Callable[..., tuple[Sandbox, Clock]]) -> None:
    llama_cloud = pytest.importorskip("llama_cloud")
    sandbox, _ = writable()
    with llamacloud_at(sandbox) as client:
        directory = client.beta.directories.create(name="mine")
        with pytest.raises(llama_cloud.ConflictError):
            client.beta.directories.create(name="mine")
        job = {"type": "extract_v2", "configuration_id": "cfg-PARSE_AGENTIC"}
        with pytest.raises(llama_cloud.UnprocessableEntityError, match="configuration_id"):
            client.batches.create(source_directory_id=directory.id, config={"job": job})


def test_llamacloud_runs_a_v1_job(writable: Callable[..., tuple[Sandbox, Clock]]) -> None:
    sandbox, clock = writable(run_seconds=10)
    with llamacloud_at(sandbox) as client:
        if not hasattr(client.beta, "batch"):
            pytest.skip("this llama_cloud has no v1 batch processing")
        directory = client.beta.directories.create(name="mine")
        for name in "abc":
            client.beta.directories.files.upload(directory.id, upload_file=(name, b""))
        config = {"job_name": "parse_raw_file_job", "partitions": {}, "parameters": {"type": "parse"}}
        jobs = [client.beta.batch.create(directory_id=directory.id, job_config=config) for _ in range(2)]
        clock.now += 2
        assert client.beta.batch.cancel(jobs[1].id).job_id == jobs[1].id
        clock.now += 10
        statuses = [client.beta.batch.get_status(job.id).job.status for job in jobs]
        assert statuses == ["completed", "cancelled"]
        assert [job.id for job in client.beta.batch.list(directory_id=directory.id)] == [jobs[1].id, jobs[0].id]
        items = client.beta.batch.job_items.list(jobs[0].id).items
        assert [(item.item_name, item.status) for item in items] == [(name, "completed") for name in "abc"]
        runs = client.beta.batch.job_items.get_processing_results(items[0].item_id)
        assert runs.processing_results


def test_playment_submits_a_batch_of_jobs_and_reads_their_results(
    writable: Callable[..., tuple[Sandbox, Clock]], monkeypatch: pytest.MonkeyPatch
) -> None:
    playment, config = pytest.importorskip("playment"), pytest.importorskip("playment.config")
    images = pytest.importorskip("playment.base.images.image_data")
    exception = pytest.importorskip("playment.exception").PlaymentException
    sandbox, clock = writable(run_seconds=10)
    handler = pytest.importorskip("playment.client_handler")
    monkeypatch.setattr(handler, "urls", config.json2obj(json.dumps(led_here(config, sandbox.url))))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    key, project_id = (sandbox.how_to["playment"][name] for name in ("api_key", "project_id"))
    client = playment.Client(key)
    batch = client.create_batch("mine", "label", "description", project_id)
    with pytest.raises(exception) as raised:
        client.create_batch("mine", "label", "description", project_id)
    assert raised.value.code == "BATCH_CREATION"
    urls = {reference: f"https://customer.invalid/{reference}.jpg" for reference in ("r1", "r2", "fail")}
    jobs = {
        reference: client.create_job(reference, "flow", images.ImageData(url), project_id, batch_id=batch.id)
        for reference, url in urls.items()
    }
    with pytest.raises(exception) as raised:
        client.create_job("r1", "flow", images.ImageData(urls["r1"]), project_id, batch_id=batch.id)
    assert raised.value.code == "FS_0001"
    assert client.get_job_result(project_id, jobs["r1"].id).result == ""
    clock.now += 10
    summary = client.get_batch_summary(batch.id, project_id)
    listed = {job.reference_id: (job.id, job.status) for job in summary.jobs}
    assert listed == {name: (job.id, "failed" if name == "fail" else "completed") for name, job in jobs.items()}
    shown = next(found for found in client.get_project_batches_summary(project_id).batches if found.id == batch.id)
    assert (shown.status, shown.total_jobs, shown.completed_jobs) == ("Complete", 3, 2)
    for reference in ("r1", "r2"):
        hop = fetch(client.get_job_result(project_id, jobs[reference].id).result, {"x-api-key": key})
        data = fetch(hop.headers["Location"]).json()["data"]
        assert (data["reference_id"], data["image_url"]) == (reference, urls[reference])
    assert sandbox.journal.playment.jobs.by_name == dict.fromkeys(urls, 1)
