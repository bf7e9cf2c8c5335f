"""The pieces of work that trials submit, one for each operator, and what a vendor has counted once all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from dev.chaos.counting.talkifai import ORGANIZATION, PHONE

CONTACTS, FILES, JOBS = 3, 3, 5
_OPERATORS = "airflow_batch_provider.operators"
_SENSORS = "airflow_batch_provider.sensors"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of work.

    :param vendor: whose it is
    :param operator: the import path of the operator
    :param parameters: its parameters
    :param sensor: the import path of the sensor that waits for the batch
    :param batch: the sensor's parameter that names it
    :param scope: the sensor's other parameters
    :param items: what is counted for each item, and the items
    :param cancels: whether the vendor can cancel
    :param is_slow: what makes its batches work for a while
    """

    vendor: str
    operator: str
    parameters: Mapping[str, Any]
    sensor: str
    batch: str
    scope: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[str, frozenset[str]]
    cancels: bool = True
    is_slow: Mapping[str, float]

    def done(self, counts: Mapping[str, Any]) -> dict[str, int]:
        """Return how often each item was processed."""
        return {
            item: sum(times.values()) if isinstance(times, Mapping) else times
            for item, times in counts[self.items[0]].items()
        }


def pieces(folder: Path) -> dict[str, Piece]:
    """Return the pieces of work by name.

    :param folder: where the files are that are uploaded
    """
    folder.mkdir(exist_ok=True)
    contents = [f"content {number}".encode() * 20 for number in range(FILES)]
    for number, content in enumerate(contents):
        (folder / f"{number}.pdf").write_bytes(content)
    files = frozenset(sha256(content).hexdigest() for content in contents)
    phones = [f"+1415555{number:04d}" for number in range(CONTACTS)]
    references = [f"image-{number}" for number in range(JOBS)]
    late = {"start_after": 500.0, "run_seconds": 500.0}
    return {
        "playment.batch": Piece(
            vendor="playment",
            operator=f"{_OPERATORS}.playment.PlaymentRunBatchOperator",
            parameters={
                "project_id": "project",
                "name": "images",
                "work_flow_id": "flow",
                "jobs": [{"reference_id": one, "data": {"image_url": f"https://x/{one}"}} for one in references],
            },
            sensor=f"{_SENSORS}.playment.PlaymentBatchSensor",
            batch="batch_id",
            scope={"project_id": "project"},
            items=("jobs", frozenset(references)),
            cancels=False,
            is_slow=late,
        ),
        "llamacloud.batch": Piece(
            vendor="llamacloud",
            operator=f"{_OPERATORS}.llamacloud.LlamaCloudRunBatchOperator",
            parameters={"job_type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC", "files": str(folder)},
            sensor=f"{_SENSORS}.llamacloud.LlamaCloudBatchSensor",
            batch="batch_id",
            items=("files", files),
            is_slow=late,
        ),
        "llamacloud.batch_processing_job": Piece(
            vendor="llamacloud",
            operator=f"{_OPERATORS}.llamacloud.LlamaCloudRunBatchProcessingJobOperator",
            parameters={
                "job_config": {
                    "job_name": "parse_raw_file_job",
                    "partitions": {},
                    "parameters": {"type": "parse"},
                },
                "files": str(folder),
            },
            sensor=f"{_SENSORS}.llamacloud.LlamaCloudBatchProcessingJobSensor",
            batch="job_id",
            items=("files", files),
            is_slow=late,
        ),
        "talkifai.batch_job": Piece(
            vendor="talkifai",
            operator=f"{_OPERATORS}.talkifai.TalkifAIRunBatchJobOperator",
            parameters={
                "name": "campaign",
                "contacts": [{"phone": phone, "name": phone[-1]} for phone in phones],
                "from_phone_number_id": PHONE,
                "organization_id": ORGANIZATION,
            },
            sensor=f"{_SENSORS}.talkifai.TalkifAIBatchJobSensor",
            batch="batch_job_id",
            scope={"organization_id": ORGANIZATION},
            items=("calls", frozenset(phones)),
            # The first call comes at once, the others follow.
            is_slow={"seconds_per_call": 400.0, "run_seconds": 400.0},
        ),
    }
