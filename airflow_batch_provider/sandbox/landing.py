"""The landing page: what to connect with, where the listings are, and one item of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_batch_provider.sandbox import annotation, conversations, documents
from airflow_batch_provider.sandbox.llamacloud import DIRECTORIES, JOB_TYPES, LlamaCloud, product_of, unmapped
from airflow_batch_provider.sandbox.llamacloud_directories import GONE
from airflow_batch_provider.sandbox.playment import BIG, DONE, Playment
from airflow_batch_provider.sandbox.settings import MAX_FILES
from airflow_batch_provider.sandbox.talkifai import TalkifAI, contact_id, contacts_of, failed_calls, room_name
from airflow_batch_provider.sandbox.talkifai_submit import PHONE_NUMBERS
from airflow_batch_provider.sandbox.world import PERIOD, World, item_of

ABOUT = (
    "The batch APIs of Playment, LlamaCloud and TalkifAI with made-up data. Set this server's URL as the host of an"
    ' Airflow connection and a key from below as its password. Under "results" are the endpoints that serve what'
    ' finished batches produced, and one item of each kind; under "submit" is what new batches need. GET /journal'
    " counts what was written."
)
NAMES_DECIDE = (
    "A file whose name contains fail fails, unmappable: it gets no job. A number that ends in 7 does not answer, in 13"
    " does not exist. A job whose reference id contains fail fails."
)
EXPORT = "POST /api/export/conversation/json"


def how_to(
    world: World,
    playment: Playment,
    llamacloud: LlamaCloud,
    talkifai: TalkifAI,
    configurations: Mapping[str, str],
) -> dict[str, Any]:
    """Return the page; the sockets' addresses are added once they are known.

    :param configurations: LlamaCloud's, their ids by product.
    """
    project, batch_id = f"/v1/projects/{playment.project_id}", playment.batch_ids[BIG]
    results = {
        "playment.batch_jobs": _playment(world, playment, project),
        "llamacloud.batches (parse)": _batch(world, llamacloud, "parse_v2"),
        "llamacloud.batches (extract)": _batch(world, llamacloud, "extract_v2"),
        "llamacloud.batch_processing_jobs": _processing_job(world, llamacloud),
        "talkifai.batch_jobs": _calls(world),
    }
    return {
        "about": ABOUT,
        "playment": {"api_key": playment.api_key, "project_id": playment.project_id, "batch_id": batch_id},
        "llamacloud": {"api_key": llamacloud.api_key},
        "talkifai": {"api_key": talkifai.api_key, "organization_id": talkifai.organization_id},
        "listings": {
            "playment.batches": f"{project}/details",
            "playment.batch_jobs": f"{project}/batch/{batch_id}",
            "llamacloud.batches": "/api/v2/batches",
            "llamacloud.batch_processing_jobs": "/api/v1/beta/batch-processing",
            "talkifai.batch_jobs": f"/batch/jobs?organizationId={talkifai.organization_id}",
        },
        "results": {name: page for name, page in results.items() if page},
        "submit": _submit(playment, project, configurations),
    }


def _submit(playment: Playment, project: str, configurations: Mapping[str, str]) -> dict[str, Any]:
    return {
        "names_decide": NAMES_DECIDE,
        "playment": {
            "endpoints": [f"POST {project}/batch", f"POST {project}/jobs"],
            "project_id": playment.project_id,
            "work_flow_id": playment.work_flow_id,
        },
        "llamacloud": {
            "endpoints": [
                *("POST /api/v1/beta/directories", "POST /api/v1/beta/directories/{directory_id}/files/upload"),
                *("POST /api/v2/batches", "POST /api/v2/batches/{batch_id}/cancel"),
                *("POST /api/v1/beta/batch-processing", "POST /api/v1/beta/batch-processing/{id}/cancel"),
            ],
            "configuration_ids": dict(configurations),
        },
        "talkifai": {
            "endpoints": [
                *("POST /batch/create", "POST /batch/jobs/{batch_job_id}/start"),
                *("PATCH /batch/jobs/{batch_job_id}/reschedule", "POST /batch/jobs/{batch_job_id}/cancel"),
            ],
            "from_phone_number_ids": list(PHONE_NUMBERS),
        },
    }


def _finished(world: World, wanted: Callable[[int], bool], items: Callable[[int], int]) -> int | None:
    """Return the row with the most items, up to ``MAX_FILES``, of those that were completed before the start."""
    rows = [
        index
        for index in range(min(world.settings.jobs, PERIOD))
        if world.life(index).ends is None
        and world.life(index).outcome == "completed"
        and items(index) <= MAX_FILES
        and wanted(index)
    ]
    return max(rows, key=items, default=None)


def _playment(world: World, playment: Playment, project: str) -> dict[str, Any]:
    size = min(100, world.settings.jobs)
    positions = {
        "image": 1,
        "video": 3,
        "segmentation": 6,
        "file_itself": annotation.PUBLIC,
        "missing": annotation.GONE,
        "large": annotation.LARGE,
    }
    found = {name: world.uuid(f"playment job/{DONE}", n) for name, n in positions.items() if n < size}
    return {
        "endpoints": [f"{project}/batch/{{batch_id}}", f"{project}/jobs/{{job_id}}", "/v1/attachments?url={result}"],
        "batch_id": playment.batch_ids[DONE],
        "job_ids": found,
    }


def _batch(world: World, llamacloud: LlamaCloud, product: str) -> dict[str, Any]:
    def files(index: int) -> int:
        return documents.files_of(index, world.settings.files)

    def without_names(index: int) -> bool:
        return index % DIRECTORIES == GONE

    index = _finished(world, lambda n: product_of(n) == product and not without_names(n), files)
    nameless = _finished(world, lambda n: product_of(n) == product and without_names(n), files)
    if index is None:
        return {}
    jobs = [llamacloud.job_id(index, file) for file in range(files(index)) if not unmapped(index, file)]
    path = "/api/v2/parse" if product == "parse_v2" else "/api/v2/extract"
    numbers = {"exact_numbers": ["account", "rate"]} if product == "extract_v2" else {}
    return {
        "endpoints": [
            *("/api/v2/batches/{batch_id}?expand=results", "/api/v1/beta/directories/{source_directory_id}/files"),
            *(f"{path}?job_ids={{job_id}}", f"{path}/{{job_id}}"),
        ],
        "batch_id": llamacloud.batch_id(index),
        "batch_id_without_directory": None if nameless is None else llamacloud.batch_id(nameless),
        "source_directory_file_id_without_job": llamacloud.file_id(index % DIRECTORIES, 0) if index % 3 == 0 else None,
        "job_ids": _first_of_each(jobs, documents.kind_of),
        **numbers,
    }


def _processing_job(world: World, llamacloud: LlamaCloud) -> dict[str, Any]:
    def items(index: int) -> int:
        return llamacloud.counts(index, world.progress(index, 0)).total

    index = _finished(world, lambda n: JOB_TYPES[n % 3] == "parse", items)
    skipped = _finished(world, lambda n: n % 5 == 3, items)
    failed = _finished(world, lambda n: n % 5 == 2, items)
    if index is None:
        return {}
    counts = llamacloud.counts(index, world.progress(index, 0))
    done = range(counts.failed + counts.skipped, counts.processed)
    jobs = [world.item_uuid("llamacloud item job", index, item) for item in done]
    kinds = ("plain", "failed_pages", "expired", "large")
    where = {"v1": "/api/v1/parsing/job/{job_id}/result/markdown", "v2": "/api/v2/parse/{job_id}?expand=markdown_full"}
    batch = "/api/v1/beta/batch-processing"
    return {
        "endpoints": [
            *(f"{batch}/{{id}}/items", f"{batch}/items/{{item_id}}/processing-results"),
            *(where[name] for name in where if name == world.settings.v1_results),
        ],
        "id": llamacloud.processing_job_id(index),
        "id_with_skipped_item": None if skipped is None else llamacloud.processing_job_id(skipped),
        "id_with_failed_items": None if failed is None else llamacloud.processing_job_id(failed),
        "job_ids": {kind: job for kind, job in _first_of_each(jobs, documents.kind_of).items() if kind in kinds},
    }


def _calls(world: World) -> dict[str, Any]:
    index = _finished(world, lambda n: n % 2 == 1, contacts_of)
    if index is None:
        return {}
    total = contacts_of(index)
    failed = failed_calls(index, total)
    contacts = [contact_id(world, index, n) for n in range(total) if n not in failed]
    rooms = {
        kind: room_name(index, item_of(contact)[1])
        for kind, contact in _first_of_each(contacts, conversations.kind_of).items()
    }
    return {
        "endpoints": ["/batch/jobs/{batch_job_id}?contactsPageSize=500", EXPORT],
        "batch_job_id": f"batch_{world.uuid('talkifai job', index)}",
        "room_names": rooms | ({"failed": room_name(index, failed[0])} if failed else {}),
    }


def _first_of_each(ids: list[str], kind_of: Callable[[str], str]) -> Mapping[str, str]:
    first: dict[str, str] = {}
    for name in ids:
        first.setdefault(kind_of(name), name)
    return first
