"""Acme Transcription: how a job is submitted. A job has a label, by which it is found again."""

from collections.abc import Sequence
from typing import Any

from airflow_batch_provider import vendor_kit as kit
from tests.fourth_vendor.acme import JOB, JOBS, TEAM, VENDOR

CREATE = kit.Resource(
    vendor=VENDOR,
    name="acme.create_job",
    path="/teams/{team_id}/jobs",
    method="POST",
    parameters=(
        TEAM,
        kit.Parameter("label", kit.Text(80), "label", required=True, in_body=True),
        kit.Parameter("recordings", kit.JsonArray(500), "recordings", required=True, in_body=True),
    ),
    is_repeatable=False,
)


def _inspect(work: kit.Work) -> kit.Preflight | kit.Stopped:
    if any(not str(url).startswith("https://") for url in work.items):
        return kit.Stopped("Acme fetches recordings from https URLs only.")
    return kit.Preflight(items=len(work.items))


def _jobs(work: kit.Work) -> kit.Plan[Sequence[kit.Copy]]:
    return (yield from kit.need_some(JOBS, lambda row: kit.copy_of(JOB, row, label=work.key)))


def _find(work: kit.Work) -> kit.Plan[kit.Existing]:
    return kit.Existing((yield from _jobs(work)))


def _create(work: kit.Work) -> kit.Plan[Any]:
    made = yield from kit.create(CREATE, {"label": work.key, "recordings": list(work.items)}, is_paid=True)
    if not isinstance(made, kit.Found):
        return made
    yield kit.Know(made.document["id"])
    return kit.Copy(id=made.document["id"], document=made.document)


def _submit(work: kit.Work, existing: kit.Existing) -> kit.Plan[kit.Copy | kit.Stopped]:
    copies = existing.batches
    if not copies:
        what = f"job with the label {work.key}"
        made = yield from kit.once(lambda: _jobs(work), lambda: _create(work), what=what, was_sent=work.may_be_sent)
        if isinstance(made, kit.Stopped):
            return made
        copies = made.copies
    yield kit.Know(copies[0].id)
    return copies[0]


SUBMISSION = kit.Submission(
    vendor=VENDOR,
    name="acme.job",
    kind=JOB,
    parameters=(TEAM,),
    inspect=_inspect,
    find=_find,
    submit=_submit,
    most_items=500,
    what="recordings",
)
