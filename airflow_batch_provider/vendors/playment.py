"""TELUS International (Playment, GT Studio): annotation projects, their batches and jobs.

Sources: the vendor's pages "Get project details", "Get batch jobs", "Get job results" and "Error codes"
(annotationdocs.telusinternational.com), and the official SDK ``playment`` 1.0.5, read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from airflow_batch_provider.apis.batch_state import ALL, BatchKind, BatchState, Outcome, StateFields
from airflow_batch_provider.apis.body import PageBody, Token
from airflow_batch_provider.apis.columns import BOOLEAN, INTEGER, TEXT, TIMESTAMP, columns
from airflow_batch_provider.apis.endpoint import Listing, Resource, Vendor
from airflow_batch_provider.apis.paging import CursorPaging, WholePaging
from airflow_batch_provider.apis.parameter import Identifier, Parameter
from airflow_batch_provider.apis.problem import ProblemKind
from airflow_batch_provider.connections import EXTRAS

T = TypeVar("T")

VENDOR = Vendor(
    name="playment",
    title="TELUS/Playment",
    base_url="https://api.playment.io",
    key_header="x-api-key",
    pasted_paths=("/v1",),
    extras=EXTRAS["playment"],
    # Every failure is documented as HTTP 400, a bad key and the vendor's own passing faults included.
    kinds_by_code={
        "auth-failure": ProblemKind.AUTHENTICATION,
        "core.webutil.token_auth": ProblemKind.AUTHENTICATION,
        "core.webutil.auther": ProblemKind.AUTHENTICATION,
        "unauthorized": ProblemKind.AUTHENTICATION,
        "unauthorized_request": ProblemKind.AUTHENTICATION,
        "FS_0000": ProblemKind.TRANSIENT,
        "FS_0008": ProblemKind.TRANSIENT,
        "api_error": ProblemKind.TRANSIENT,
        "FS_0006": ProblemKind.NOT_FOUND,
        "resource_error": ProblemKind.NOT_FOUND,
    },
)

_PROJECT = Parameter("project_id", Identifier(), required=True)
_BATCH = Parameter("batch_id", Identifier(), required=True)
_JOB = Parameter("job_id", Identifier(), required=True)


class _Project(msgspec.Struct, Generic[T]):
    # A batch list of null stands for none: the vendor's services write an empty list so.
    batches: list[T] | None


class _ProjectBody(PageBody[T], Generic[T], kw_only=True):
    data: _Project[T]

    @property
    def rows(self) -> Sequence[T]:
        return self.data.batches or ()


class _Batch(msgspec.Struct, Generic[T]):
    jobs: list[T] | None
    next_page_token: Token = None


class _BatchBody(PageBody[T], Generic[T], kw_only=True):
    data: _Batch[T]

    @property
    def rows(self) -> Sequence[T]:
        return self.data.jobs or ()

    @property
    def next_token(self) -> str | int | None:
        return self.data.next_page_token


BATCHES = Listing(
    vendor=VENDOR,
    name="playment.batches",
    path="/v1/projects/{project_id}/details",
    parameters=(_PROJECT,),
    bodies=(_ProjectBody,),
    paging=WholePaging(),
    columns=columns(
        id=TEXT,
        name=TEXT,
        description=TEXT,
        is_default=BOOLEAN,
        total_jobs=INTEGER,
        completed_jobs=INTEGER,
        total_frames=INTEGER,
        completed_frames=INTEGER,
        annotations=INTEGER,
        created_at=TIMESTAMP,
        status=TEXT,
    ),
)

# The vendor fixes the page size (100); the token goes into the query, although its page lists it under "path".
BATCH_JOBS = Listing(
    vendor=VENDOR,
    name="playment.batch_jobs",
    path="/v1/projects/{project_id}/batch/{batch_id}",
    parameters=(_PROJECT, _BATCH),
    bodies=(_BatchBody,),
    paging=CursorPaging("page_token"),
    columns=columns(
        id=TEXT,
        reference_id=TEXT,
        status=TEXT,
        frames=INTEGER,
        annotations=INTEGER,
        # Only on the vendor's page of the API before, "Fetch Batch Details" (v0).
        priority_weight=INTEGER,
        tag=TEXT,
        viewer_url=TEXT,
    ),
)


def _data(document: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = document["data"]
    if not isinstance(data, dict):
        raise TypeError("data is not an object")
    return data


PROJECT: Resource[dict[str, Any]] = Resource(
    vendor=VENDOR,
    name="playment.project",
    path="/v1/projects/{project_id}/details",
    parameters=(_PROJECT,),
    unwrap=_data,
)

JOB_RESULT: Resource[dict[str, Any]] = Resource(
    vendor=VENDOR,
    name="playment.job_result",
    path="/v1/projects/{project_id}/jobs/{job_id}",
    parameters=(_PROJECT, _JOB),
    unwrap=_data,
)


BATCH_OUTCOMES = {"Complete": Outcome.SUCCEEDED, "completed": Outcome.SUCCEEDED}
"""``Complete`` is the only word that is documented; jobs say ``completed``, so that is taken too."""

# The status alone counts: by its counters an empty batch would be complete.
_batch_state = StateFields(
    BATCH_OUTCOMES, counts=("total_jobs", "completed_jobs", "total_frames", "completed_frames", "annotations")
)


def project_state(batches: Sequence[Mapping[str, Any]]) -> BatchState:
    """Return the state of a project: finished once it has batches, and each but the default one is.

    The default batch takes the jobs that name no batch, so it is never closed.

    :param batches: the batches of the project
    """
    states = [_batch_state(batch) for batch in batches if not batch.get("is_default")]
    finished = sum(state.outcome.is_terminal for state in states)
    counts = {"batches": len(states), "finished": finished}
    for state in states:
        for name, count in state.counts.items():
            counts[name] = counts.get(name, 0) + count
    is_over = bool(states) and finished == len(states)
    return BatchState(
        ALL,
        "Complete" if is_over else "In Progress",
        Outcome.SUCCEEDED if is_over else Outcome.RUNNING,
        counts,
    )


BATCH_KIND = BatchKind(
    name="playment.batch", listing=BATCHES, scope=("project_id",), state=_batch_state, together=project_state
)
