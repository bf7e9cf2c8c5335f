"""Acme Transcription, a vendor that does not exist: all it takes to list, wait for and export its jobs."""

from typing import Any

from airflow_batch_provider import vendor_kit as kit

CONN_ID = "acme_default"
VENDOR = kit.Vendor(
    name="acme",
    title="Acme Transcription",
    base_url="https://api.acme.example",
    key_header="X-Acme-Key",
    extras={"team_id": kit.Extra("Team id", "Used where a task names no team.")},
    read_error=lambda body: (body["fault"]["text"], body["fault"]["word"]),
    kinds_by_code={"no_minutes_left": kit.ProblemKind.PAYMENT, "warming_up": kit.ProblemKind.TRANSIENT},
)
OUTCOMES = {"queued": kit.PENDING, "typing": kit.RUNNING, "typed": kit.SUCCEEDED, "garbled": kit.FAILED}


class _Page(kit.PageBody[kit.T], kw_only=True):
    rows: list[kit.T] = kit.field(name="jobs")
    next_token: kit.Token = kit.field(name="after", default=None)


JOBS = kit.Listing(
    vendor=VENDOR,
    name="acme.jobs",
    path="/teams/{team_id}/jobs",
    parameters=(kit.Parameter("team_id", kit.Identifier(), required=True),),
    bodies=(_Page,),
    paging=kit.CursorPaging("after"),
    columns=kit.columns(id=kit.TEXT, status=kit.TEXT, minutes=kit.INTEGER, uploaded_at=kit.TIMESTAMP),
)
JOB = kit.BatchKind(name=f"{__name__}.JOB", listing=JOBS, scope=("team_id",), state=kit.StateFields(OUTCOMES))


class AcmeHook(kit.BatchApiHook):
    """Acme Transcription, over an Airflow connection of type ``acme``."""

    vendor = VENDOR
    probe = JOBS
    conn_type, hook_name = VENDOR.name, VENDOR.title
    conn_name_attr = "acme_conn_id"
    default_conn_name = CONN_ID

    def __init__(self, acme_conn_id: str = CONN_ID) -> None:
        super().__init__(acme_conn_id)

    def iter_jobs(self, team_id: str | None = None) -> kit.Documents:
        """Yield the jobs of a team, that of the connection if left out."""
        return self.iter_listing(JOBS, team_id=team_id)


class AcmeJobSensor(kit.BatchSensor):
    """Waits until a job is typed."""

    kind = JOB
    id_field = "job_id"
    hook_class = AcmeHook
    template_fields = (*kit.BatchSensor.template_fields, "job_id", "team_id", "acme_conn_id")

    def __init__(self, *, job_id: str, team_id: str | None = None, acme_conn_id: str = CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.team_id = team_id
        self.acme_conn_id = acme_conn_id


class AcmeExportJobsOperator(kit.ListingExportOperator):
    """Exports the jobs of a team."""

    listing = JOBS
    hook_class = AcmeHook
    template_fields = (*kit.ListingExportOperator.template_fields, "team_id", "acme_conn_id")

    def __init__(self, *, team_id: str | None = None, acme_conn_id: str = CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.team_id = team_id
        self.acme_conn_id = acme_conn_id
