"""TalkifAI: exports, and jobs that are run, started and cancelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.apis.literals import Values
from airflow_batch_provider.apis.parameter import Choice
from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.cancel import BatchActionOperator, CancelBatchOperator
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.operators.finished import FinishedBatchesOperator
from airflow_batch_provider.operators.results import ResultsExportOperator
from airflow_batch_provider.operators.run import RunBatchOperator, rows_of
from airflow_batch_provider.stores.role import source_role
from airflow_batch_provider.vendors import talkifai, talkifai_results, talkifai_submission

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_batch_provider.apis.batch_state import ShownState
    from airflow_batch_provider.export.export import PageSource
    from airflow_batch_provider.hooks.base import BatchApiHook


class TalkifAIExportBatchJobsOperator(ListingExportOperator):
    """Exports the batch calling jobs of a TalkifAI organization.

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param organization_id: the organization; that of the connection if left out
    :param status: only those in this state: ``pending``, ``scheduled``, ``running``, ``completed``, ``failed`` or
        ``cancelled``
    :param page_size: rows per request, 1 to 100 (default)
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    listing = talkifai.BATCH_JOBS
    hook_class = TalkifAIHook
    template_fields = (
        *ListingExportOperator.template_fields,
        "organization_id",
        "status",
        "page_size",
        "talkifai_conn_id",
    )

    def __init__(
        self,
        *,
        organization_id: str | None = None,
        status: str | None = None,
        page_size: int | str | None = None,
        talkifai_conn_id: str = TalkifAIHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.status = status
        self.page_size = page_size
        self.talkifai_conn_id = talkifai_conn_id


class TalkifAIExportContactsOperator(ListingExportOperator):
    """Exports the contacts of a TalkifAI batch calling job, each once, with what became of its call.

    The contacts of a job that runs are read again until nothing moves, as ``on_drift`` says. They are personal data: by
    default rows are as the vendor sent them, and nothing of them gets into logs, XComs or names.

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator` too.

    :param batch_job_id: the job
    :param contact_status: only those in this state, such as ``completed``, ``failed``, ``no_answer``, ``busy`` or
        ``invalid_number``
    :param personal_fields: what to do with ``phoneNumber``, ``contactData`` and ``roomName``: ``keep`` them (default),
        ``omit`` them, or ``hash`` them: the same value gives the same 64 digits as long as the API key stays the same
    :param page_size: rows per request, 1 to 500 (default)
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    listing = talkifai.CONTACTS
    batch_kind = talkifai.BATCH_JOB_KIND
    hook_class = TalkifAIHook
    template_fields = (
        *ListingExportOperator.template_fields,
        "batch_job_id",
        "contact_status",
        "personal_fields",
        "page_size",
        "talkifai_conn_id",
    )

    def __init__(
        self,
        *,
        batch_job_id: str,
        contact_status: str | None = None,
        personal_fields: str = "keep",
        page_size: int | str | None = None,
        talkifai_conn_id: str = TalkifAIHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_job_id = batch_job_id
        self.contact_status = contact_status
        self.personal_fields = personal_fields
        self.page_size = page_size
        self.talkifai_conn_id = talkifai_conn_id

    @classmethod
    def _batch_parameter(cls) -> str:
        return "batch_job_id"

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names.

        :meta private:
        """
        return {**super().domains(), "personal_fields": Choice(("keep", "omit", "hash"))}

    def source(self, hook: BatchApiHook, values: Mapping[str, Any]) -> PageSource:
        """Return what reads the contacts.

        :param hook: the hook of the connection
        :param values: the parameters, checked
        """
        pages = super().source(hook, values)
        if self.personal_fields == "keep":
            return pages
        from airflow_batch_provider.listing.personal_fields import without_personal_fields

        secret = hook.connect().settings.credentials.secret if self.personal_fields == "hash" else None
        return without_personal_fields(pages, talkifai.PERSONAL_FIELDS, secret)

    def asked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest names as ``params``.

        :param values: the parameters, checked
        """
        asked = super().asked(values)
        return asked if self.personal_fields == "keep" else {**asked, "personal_fields": self.personal_fields}


class TalkifAIExportConversationsOperator(ResultsExportOperator):
    """Exports the conversations of a TalkifAI batch calling job: a row for each contact, transcripts as files.

    ``result`` is the conversation as the vendor exports it. Transcript and analysis are made after a call: where they
    are not there yet, they are asked for again until 15 minutes after its end. Conversations are personal data; rows
    are as the vendor sent them, and nothing of them gets into logs, XComs or names.

    Takes the parameters of :class:`~airflow_batch_provider.operators.results.ResultsExportOperator` too.

    :param batch_job_id: the job
    :param files: of ``transcript`` (default) and ``recording``
    :param talkifai_conn_id: the Airflow connection with the API key; its ``export_path`` and ``export_auth`` say where
        conversations are exported
    """

    results = talkifai_results.CONVERSATIONS
    batch_kind = talkifai.BATCH_JOB_KIND
    hook_class = TalkifAIHook
    template_fields = (*ResultsExportOperator.template_fields, "batch_job_id", "talkifai_conn_id")

    def __init__(
        self, *, batch_job_id: str, talkifai_conn_id: str = TalkifAIHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.batch_job_id = batch_job_id
        self.talkifai_conn_id = talkifai_conn_id


class TalkifAIRunBatchJobOperator(RunBatchOperator):
    """Has TalkifAI call contacts: creates a batch calling job, starts it and waits until it is completed.

    The job is created for a time far ahead and started only once it is certain that there is one, so that nobody is
    called twice. All numbers are checked before any request. Failed items are failed calls. Takes the parameters of
    :class:`~airflow_batch_provider.operators.run.RunBatchOperator` too.

    :param name: the job's name; a tag is added, by which it is found again: at most 200 characters with it
    :param contacts: whom to call: a list of rows, or a path or URI of a CSV or JSONL file of them. Each has ``phone``
        in the form of E.164, such as ``+14155550123``, and perhaps ``name`` and fields of your own; at most 10,000,
        each number once
    :param from_phone_number_id: the number to call from; its agent makes the calls
    :param organization_id: the organization; that of the connection if left out
    :param description: what the job is about, at most 600 characters
    :param concurrent_call_limit: calls at a time, 1 to 50
    :param max_attempts: how often a contact is called at most, 1 to 10
    :param start_at: when to start, a datetime or ISO 8601; as soon as the job is verified if left out
    :param contacts_conn_id: the Airflow connection for a URI of ``contacts`` that names none
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    submission = talkifai_submission.SUBMISSION
    rows_field = "contacts"
    places = (source_role("contacts"),)
    hook_class = TalkifAIHook
    template_fields = (
        *RunBatchOperator.template_fields,
        "name",
        "contacts",
        "from_phone_number_id",
        "organization_id",
        "description",
        "concurrent_call_limit",
        "max_attempts",
        "start_at",
        "contacts_conn_id",
        "talkifai_conn_id",
    )

    def __init__(
        self,
        *,
        name: str,
        contacts: Iterable[Mapping[str, Any]] | str | ObjectStoragePath,
        from_phone_number_id: str,
        organization_id: str | None = None,
        description: str | None = None,
        concurrent_call_limit: int | str | None = None,
        max_attempts: int | str | None = None,
        start_at: datetime | str | None = None,
        contacts_conn_id: str | None = None,
        talkifai_conn_id: str = TalkifAIHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.contacts: Any = contacts
        self.from_phone_number_id = from_phone_number_id
        self.organization_id = organization_id
        self.description = description
        self.concurrent_call_limit = concurrent_call_limit
        self.max_attempts = max_attempts
        self.start_at = start_at
        self.contacts_conn_id = contacts_conn_id
        self.talkifai_conn_id = talkifai_conn_id

    def items(self) -> Any:
        """Return the contacts with the numbers of their rows."""
        from airflow_batch_provider.submitting.rows import Rows

        rows = Rows(rows_of(self.contacts), self.contacts_conn_id, name="contacts")
        return list(islice(rows, talkifai.MOST_CONTACTS + 1))


class _TalkifAIBatchJob(BatchActionOperator):
    kind = talkifai.BATCH_JOB_KIND
    hook_class = TalkifAIHook

    def __init__(
        self,
        *,
        batch_job_id: str,
        organization_id: str | None = None,
        talkifai_conn_id: str = TalkifAIHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.batch_job_id = batch_job_id
        self.organization_id = organization_id
        self.talkifai_conn_id = talkifai_conn_id


class TalkifAIStartBatchJobOperator(_TalkifAIBatchJob):
    """Starts a TalkifAI batch calling job that is pending or scheduled; one that has started is left alone.

    :param batch_job_id: the job
    :param organization_id: the organization; that of the connection if left out
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    id_field = "batch_job_id"
    template_fields = ("batch_job_id", "organization_id", "talkifai_conn_id")

    def act(self, hook: BatchApiHook, batch_id: str, scope: dict[str, str]) -> ShownState:
        """Start the job.

        :param hook: the hook of the connection
        :param batch_id: the job
        :param scope: the organization, if it is given
        """
        from airflow_batch_provider.submitting.submit import start_batch_job

        return start_batch_job(hook.connect(), batch_id)


class TalkifAICancelBatchJobOperator(_TalkifAIBatchJob, CancelBatchOperator):
    """Cancels a TalkifAI batch calling job: nobody is called any more, and calls that have begun end normally.

    A job that has ended already stays as it is, which is no error.

    :param batch_job_id: the job
    :param organization_id: the organization; that of the connection if left out
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    id_field = "batch_job_id"
    template_fields = ("batch_job_id", "organization_id", "talkifai_conn_id")


class TalkifAIFinishedBatchJobsOperator(FinishedBatchesOperator):
    """Finds completed TalkifAI batch calling jobs that have not been exported.

    It returns ``batch_job_id`` and ``destination`` of each. Takes the parameters of
    :class:`~airflow_batch_provider.operators.finished.FinishedBatchesOperator` too.

    :param organization_id: the organization; that of the connection if left out
    :param talkifai_conn_id: the Airflow connection with the API key
    """

    kind = talkifai.BATCH_JOB_KIND
    hook_class = TalkifAIHook
    filters = ("organization_id",)
    template_fields = (*FinishedBatchesOperator.template_fields, *filters, "talkifai_conn_id")

    def __init__(
        self,
        *,
        organization_id: str | None = None,
        talkifai_conn_id: str = TalkifAIHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.organization_id = organization_id
        self.talkifai_conn_id = talkifai_conn_id
