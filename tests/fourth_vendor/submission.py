"""How a job of Acme Transcription is submitted: the key of the piece of work is in its title, by which it is found."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_batch_provider import vendor_kit as kit
from tests.fourth_vendor.acme import JOB, JOBS, TEAM, VENDOR
from tests.fourth_vendor.operators import CONN_ID, AcmeHook

TITLE = kit.Parameter("title", kit.Text(100), "title", required=True, in_body=True)
CREATE_JOB = kit.Resource(
    vendor=VENDOR,
    name="acme.create_job",
    path="/teams/{team_id}/jobs",
    method="POST",
    parameters=(TEAM, TITLE),
    is_repeatable=False,
)


def check(work: kit.Work) -> kit.Preflight | kit.Stopped:
    """Check the addresses of the recordings, without a request."""
    wrong = [url for url in work.items if not str(url).startswith("https://")]
    if wrong:
        return kit.Stopped(f"{len(wrong)} of {len(work.items)} recordings have no https address.")
    return kit.Preflight(items=len(work.items))


def find(work: kit.Work) -> kit.Plan[kit.Existing]:
    """Look up what there is of a piece of work."""
    return kit.Existing((yield from find_jobs(work)))


def find_jobs(work: kit.Work) -> kit.Plan[Sequence[kit.Copy]]:
    """Look up the jobs that have the key."""

    def pick(row: kit.Row) -> kit.Copy | None:
        job = json.loads(row.json)
        return copy_of(job) if str(job.get("title")).endswith(f"[{work.key}]") else None

    return (yield from kit.need_some(JOBS, pick))


def copy_of(job: dict[str, Any]) -> kit.Copy:
    """Return a job as one of those of a piece of work, of which there should be one."""
    return kit.Copy(id=job["id"], created=job["uploaded_at"], document=job, state=JOB.state(job))


def submit(work: kit.Work, existing: kit.Existing) -> kit.Plan[kit.Copy | kit.Stopped]:
    """Return the job, made now or before."""
    copies = existing.batches
    if not copies:
        made = yield from kit.once(
            lambda: find_jobs(work),
            lambda: create_job(work),
            what=f"job with [{work.key}] in its title",
            was_sent=work.may_be_sent,
        )
        if isinstance(made, kit.Stopped):
            return made
        copies = made.copies
    kept = kit.kept_first(copies)[0]
    yield kit.Know(kept.id)
    return kept


def create_job(work: kit.Work) -> kit.Plan[kit.Copy | kit.Refused | kit.Ambiguous]:
    """Create the job."""
    title = f"{work.values['title']} [{work.key}]"
    answer = yield from kit.create(CREATE_JOB, {"title": title}, json={"recordings": work.items}, is_paid=True)
    return copy_of(answer.document) if isinstance(answer, kit.Found) else answer


SUBMISSION = kit.Submission(
    vendor=VENDOR,
    name="acme.job",
    kind=JOB,
    parameters=(TEAM, TITLE),
    inspect=check,
    find=find,
    submit=submit,
    most_items=500,
    what="recordings",
)


class AcmeRunJobOperator(kit.RunBatchOperator):
    """Has Acme type recordings: creates a job, once, and waits until it is typed."""

    submission = SUBMISSION
    hook_class = AcmeHook
    template_fields = (*kit.RunBatchOperator.template_fields, "title", "recordings", "team_id", "acme_conn_id")

    def __init__(
        self,
        *,
        title: str,
        recordings: Iterable[str],
        team_id: str | None = None,
        acme_conn_id: str = CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.title = title
        self.recordings = recordings
        self.team_id = team_id
        self.acme_conn_id = acme_conn_id

    def items(self) -> Sequence[str]:
        """Return what the piece of work consists of."""
        return list(self.recordings)
