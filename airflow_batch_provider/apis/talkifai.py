"""TalkifAI: batch calling jobs.

Source: the vendor's pages "List Batch Jobs", "Get Batch Job" and "Introduction" (docs.talkifai.dev), read in November
2026. They contradict each other on host, path prefix, authentication and envelope; what stands here follows the
endpoint pages, and the connection can say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from airflow_batch_provider.apis.endpoint import Listing, Resource, Vendor
from airflow_batch_provider.apis.page import PageBody, whole_number
from airflow_batch_provider.apis.paging import NumberPaging
from airflow_batch_provider.apis.parameter import Identifier, Parameter, WholeNumber, Word

T = TypeVar("T")

KEY_HEADERS = {"bearer": ("Authorization", "Bearer "), "x-api-key": ("x-api-key", "")}
"""Header and prefix of the key: the endpoint pages say Bearer, the authentication page says x-api-key."""

VENDOR = Vendor(
    name="talkifai",
    title="TalkifAI",
    base_url="https://api.talkifai.dev",
    key_header=KEY_HEADERS["bearer"][0],
    key_prefix=KEY_HEADERS["bearer"][1],
    kinds_by_code={},
)

STATUSES = ("pending", "scheduled", "running", "completed", "failed", "cancelled")


class _Jobs(msgspec.Struct, Generic[T]):
    rows: list[T] = msgspec.field(name="batchJobs")
    total: Any = None
    page_size: Any = msgspec.field(default=None, name="pageSize")


class _JobsBody(PageBody[T], Generic[T], kw_only=True):
    # The vendor's introduction wraps every answer in {"success", "data"}; the endpoint pages do not.
    data: _Jobs[T] | msgspec.UnsetType = msgspec.UNSET
    bare_rows: list[T] | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="batchJobs")
    bare_total: Any = msgspec.field(default=None, name="total")
    bare_page_size: Any = msgspec.field(default=None, name="pageSize")

    def __post_init__(self) -> None:
        if self.bare_rows is msgspec.UNSET and self.data is msgspec.UNSET:
            raise ValueError("Object missing required field `batchJobs`")

    @property
    def _jobs(self) -> _Jobs[T]:
        if self.bare_rows is not msgspec.UNSET:
            return _Jobs(self.bare_rows, self.bare_total, self.bare_page_size)
        assert self.data is not msgspec.UNSET
        return self.data

    @property
    def rows(self) -> Sequence[T]:
        return self._jobs.rows

    @property
    def total(self) -> int | None:
        return whole_number(self._jobs.total)

    @property
    def page_size(self) -> int | None:
        return whole_number(self._jobs.page_size)


BATCH_JOBS = Listing(
    vendor=VENDOR,
    name="talkifai.batch_jobs",
    path="/batch/jobs",
    parameters=(
        Parameter("organization_id", Identifier(), "organizationId", required=True),
        Parameter("status", Word(STATUSES), "status"),
        Parameter("page", WholeNumber(1), "page", default=1),
        Parameter("page_size", WholeNumber(1, 100), "pageSize", default=100),
    ),
    body=_JobsBody,
    paging=NumberPaging("page", "pageSize"),
    total_is_exact=True,
)


def _job(document: dict[str, Any]) -> dict[str, Any]:
    job = document if "id" in document or "success" not in document else document["data"]
    if not isinstance(job, dict) or "id" not in job:
        raise LookupError("id")
    return job


# One contact, the least that can be asked for: contacts are personal data, and come by the thousand.
BATCH_JOB: Resource[dict[str, Any]] = Resource(
    vendor=VENDOR,
    name="talkifai.batch_job",
    path="/batch/jobs/{batch_job_id}",
    parameters=(
        Parameter("batch_job_id", Identifier(), required=True),
        Parameter("contacts_page_size", WholeNumber(1, 500), "contactsPageSize", default=1),
    ),
    unwrap=_job,
)
