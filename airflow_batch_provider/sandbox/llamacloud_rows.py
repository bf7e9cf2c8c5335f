"""What has become of what was submitted to LlamaCloud, in the form of its answers."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.sandbox.llamacloud_submitted import ERROR, Batch, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_tokens import timestamp

V1_STATUSES = {"waiting": "pending"}
V1_ITEM_STATUSES = {"waiting": "pending", "running": "processing"}


def v2_status(batch: Batch, now: float) -> str:
    """Return the status of a v2 batch."""
    stage = batch.run.stage(now)
    return "PENDING" if stage == "waiting" else stage.upper()


def v1_status(batch: Batch, now: float) -> str:
    """Return the status of a v1 job."""
    stage = batch.run.stage(now)
    return V1_STATUSES.get(stage, stage)


def batch_row(submitted: LlamaCloudSubmitted, project_id: str, batch: Batch, expand: bool) -> dict[str, Any]:
    """Return a v2 batch.

    :param expand: with the results of its files, once it is over.
    """
    now = submitted.now()
    return {
        "id": batch.id,
        "config": {"job": {"configuration_id": batch.configuration_id, "type": batch.product}},
        "project_id": project_id,
        "source_directory_id": batch.directory_id,
        "status": v2_status(batch, now),
        "created_at": timestamp(batch.created),
        "results": _results(submitted, batch, now) if expand and now >= batch.run.over else None,
        "updated_at": timestamp(max(batch.created, batch.run.updated(now))),
    }


def _results(submitted: LlamaCloudSubmitted, batch: Batch, now: int) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for item, file in enumerate(batch.files):
        lost = file.outcome == "unmapped"
        job = {"id": submitted.job_id(batch, item), "type": batch.product}
        results.append(
            {
                "source_directory_file_id": file.id,
                "error_message": ERROR if lost else None,
                "job_reference": job if batch.has_jobs(now) and not lost else None,
            }
        )
    return results


def item_status(batch: Batch, item: int, now: float) -> str:
    """Return the status of an item of a v1 job."""
    stage = batch.run.item_stage(item, now)
    if stage != "completed":
        return V1_ITEM_STATUSES.get(stage, stage)
    if item in batch.skipped:
        return "skipped"
    return "completed" if batch.files[item].outcome == "completed" else "failed"


def job_row(project_id: str, batch: Batch, now: int) -> dict[str, Any]:
    """Return a v1 job."""
    begun, over = batch.has_jobs(now), now >= batch.run.over
    done = [item_status(batch, item, now) for item in range(batch.run.done(now))]
    return {
        "id": batch.id,
        "job_type": batch.product,
        "project_id": project_id,
        "status": v1_status(batch, now),
        "total_items": len(batch.files),
        "completed_at": timestamp(batch.run.over) if over else None,
        "created_at": timestamp(batch.created),
        "directory_id": batch.directory_id,
        "effective_at": timestamp(batch.created),
        "error_message": None,
        "failed_items": done.count("failed"),
        "job_record_id": f"rec-submitted-{batch.number}" if begun else None,
        "processed_items": len(done),
        "skipped_items": done.count("skipped"),
        "started_at": timestamp(batch.run.begins) if begun else None,
        "updated_at": timestamp(max(batch.created, batch.run.updated(now))),
        "workflow_id": f"wf-submitted-{batch.number}" if begun else None,
    }


def item_row(submitted: LlamaCloudSubmitted, batch: Batch, item: int) -> dict[str, Any]:
    """Return an item of a v1 job."""
    now, file = submitted.now(), batch.files[item]
    status = item_status(batch, item, now)
    begins, ends = batch.run.window(item)
    done = status in ("completed", "failed")
    return {
        "item_id": file.id,
        "item_name": file.display_name,
        "status": status,
        "completed_at": timestamp(ends) if done else None,
        "effective_at": timestamp(batch.created),
        "error_message": ERROR if status == "failed" else None,
        "job_id": submitted.job_id(batch, item) if status == "completed" else None,
        "job_record_id": f"rec-submitted-{batch.number}-{item}" if done else None,
        "skip_reason": "already_processed" if status == "skipped" else None,
        "started_at": timestamp(begins) if done or status == "processing" else None,
    }


def runs_of(submitted: LlamaCloudSubmitted, file_id: str) -> tuple[str, list[dict[str, Any]]] | None:
    """Return the name of a file and the results of all v1 jobs that it went through, or None if it went through none.

    :param file_id: of the file in its directory.
    """
    now, name, runs = submitted.now(), None, []
    for batch in submitted.processing_jobs.oldest_first():
        for item, file in enumerate(batch.files):
            if file.id == file_id:
                name = file.display_name
                if item_status(batch, item, now) == "completed":
                    runs.append(_run(submitted, batch, item))
    return None if name is None else (name, runs)


def _run(submitted: LlamaCloudSubmitted, batch: Batch, item: int) -> dict[str, Any]:
    job_id = submitted.job_id(batch, item)
    return {
        "result_id": f"res-{job_id}",
        "item_id": batch.files[item].id,
        "job_type": batch.product,
        "job_config": dict(batch.parameters),
        "parameters_hash": submitted.parameters_hash(batch.parameters),
        "output_s3_path": f"s3://llamacloud-sandbox/{batch.product}/{job_id}/",
        "output_metadata": None,
        "processed_at": timestamp(batch.run.window(item)[1]),
    }


def described(submitted: LlamaCloudSubmitted, project_id: str, batch: Batch, item: int) -> dict[str, Any]:
    """Return the job of an item of a v1 job in the form of v2."""
    begins, ends = batch.run.window(item)
    return {
        "id": submitted.job_id(batch, item),
        "project_id": project_id,
        "status": "COMPLETED",
        "error_message": None,
        "name": batch.files[item].display_name,
        "tier": "agentic",
        "created_at": timestamp(begins),
        "updated_at": timestamp(ends),
        "user_metadata": None,
    }
