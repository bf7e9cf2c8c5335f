"""Acme Transcription, a vendor that does not exist: what its API is, without anything of Airflow."""

from airflow_batch_provider import vendor_kit as kit

VENDOR = kit.Vendor(
    name="acme",
    title="Acme Transcription",
    base_url="https://api.acme.example",
    auth=kit.KeyHeader("X-Acme-Key"),
    key_hint="Acme: Account > Keys",
    hook="tests.fourth_vendor.operators.AcmeHook",
    extras={"team_id": kit.Extra("Team id", "Used where a task names no team.")},
    read_error=lambda body: (body["fault"]["text"], body["fault"]["word"]),
    kinds_by_code={"no_minutes_left": kit.ProblemKind.PAYMENT, "warming_up": kit.ProblemKind.TRANSIENT},
)
TEAM = kit.Parameter("team_id", kit.Identifier(), required=True)
OUTCOMES = {"queued": kit.PENDING, "typing": kit.RUNNING, "typed": kit.SUCCEEDED, "garbled": kit.FAILED}
JOBS = kit.Listing(
    vendor=VENDOR,
    name="acme.jobs",
    path="/teams/{team_id}/jobs",
    parameters=(TEAM,),
    bodies=(kit.Body(rows="jobs", next_token="after"),),
    paging=kit.CursorPaging("after"),
    columns=kit.columns(id=kit.TEXT, status=kit.TEXT, minutes=kit.INTEGER, uploaded_at=kit.TIMESTAMP),
)
JOB = kit.BatchKind(name=f"{__name__}.JOB", listing=JOBS, scope=("team_id",), state=kit.StateFields(OUTCOMES))
