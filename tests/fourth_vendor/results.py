"""What the jobs of Acme Transcription produced: the text of each recording."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from airflow_batch_provider import vendor_kit as kit
from tests.fourth_vendor.acme import JOB, TEAM, VENDOR

JOB_ID = kit.Parameter("job_id", kit.Identifier(), required=True)
ONE_JOB = kit.Resource(vendor=VENDOR, name="acme.job", path="/teams/{team_id}/jobs/{job_id}", parameters=(TEAM, JOB_ID))
RECORDINGS = kit.Listing(
    vendor=VENDOR,
    name="acme.recordings",
    path="/teams/{team_id}/jobs/{job_id}/recordings",
    parameters=(TEAM, JOB_ID),
    bodies=(kit.Body(rows="recordings", next_token="after"),),
    paging=kit.CursorPaging("after"),
    columns=kit.columns(id=kit.TEXT, status=kit.TEXT, minutes=kit.INTEGER),
)
TRANSCRIPT = kit.Resource(
    vendor=VENDOR,
    name="acme.transcript",
    path="/recordings/{recording_id}/transcript",
    parameters=(kit.Parameter("recording_id", kit.Identifier(), required=True),),
    id=None,
)
TEXT = kit.FileKind(name="text", content_type="text/plain", extension="txt")


def read_job(values: Mapping[str, Any]) -> kit.Plan[kit.Batch | kit.Problem]:
    """Read the job: its state, and how many recordings it counts."""
    job = (yield from kit.need(ONE_JOB)).document
    return kit.Batch(state=JOB.state(job), expected=job.get("recordings"))


def read_recording(batch: kit.Batch, recording: kit.Row, _: None) -> kit.Plan[kit.Item]:
    """Read what became of a recording, and fetch its text."""
    if recording.status == "garbled":
        return kit.Item(outcome=kit.ItemOutcome.FAILED, error="Acme could not hear a word")
    found = yield from kit.ask(TRANSCRIPT, recording_id=recording.id)
    if isinstance(found, kit.Refused):
        return kit.without_result(found)
    files = []
    if TEXT.name in batch.kinds:
        where, url = partial(locate_text, recording.id), found.document.get("text_url")
        files.append((yield from kit.fetch(TEXT, f"{recording.id}.txt", where, url=url)))
    return kit.collected(files, result=found.json)


def locate_text(recording_id: str | int) -> kit.Plan[kit.Location | kit.Refused]:
    """Ask for the signed URL again, for the case that the first one has expired."""
    found = yield from kit.ask(TRANSCRIPT, recording_id=recording_id)
    return found if isinstance(found, kit.Refused) else kit.Location(found.document.get("text_url") or "")


TRANSCRIPTS = kit.Results(
    vendor=VENDOR,
    name="acme.transcripts",
    batch="job_id",
    parameters=(TEAM, JOB_ID),
    items=RECORDINGS,
    kinds=(TEXT,),
    usual=("text",),
    begin=read_job,
    item=read_recording,
    columns=kit.result_columns(RECORDINGS.columns, kit.struct(words=kit.INTEGER, language=kit.TEXT)),
)
