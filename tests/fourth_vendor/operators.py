"""Acme Transcription in Airflow: hook, sensor and export operators."""

from collections.abc import Sequence
from typing import Any

from airflow_batch_provider import vendor_kit as kit
from tests.fourth_vendor.acme import JOB, JOBS, VENDOR
from tests.fourth_vendor.results import TRANSCRIPTS
from tests.fourth_vendor.submission import SUBMISSION

CONN_ID = "acme_default"


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
        """Yield the jobs of a team; without ``team_id``, that of the connection."""
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


class AcmeExportTranscriptsOperator(kit.ResultsExportOperator):
    """Exports the transcripts of a job, a row for each recording."""

    results = TRANSCRIPTS
    batch_kind = JOB
    hook_class = AcmeHook
    template_fields = (*kit.ResultsExportOperator.template_fields, "job_id", "team_id", "acme_conn_id")

    def __init__(self, *, job_id: str, team_id: str | None = None, acme_conn_id: str = CONN_ID, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.team_id = team_id
        self.acme_conn_id = acme_conn_id


class AcmeRunJobOperator(kit.RunBatchOperator):
    """Has Acme transcribe recordings, and waits until they are typed."""

    submission = SUBMISSION
    hook_class = AcmeHook
    template_fields = (*kit.RunBatchOperator.template_fields, "recordings", "team_id", "acme_conn_id")

    def __init__(
        self, *, recordings: Sequence[str], team_id: str | None = None, acme_conn_id: str = CONN_ID, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.recordings = recordings
        self.team_id = team_id
        self.acme_conn_id = acme_conn_id

    def items(self) -> list[str]:
        """Return the URLs of the recordings."""
        return list(self.recordings)
