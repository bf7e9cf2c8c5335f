"""TalkifAI: batch calling jobs, contacts and conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_batch_provider.apis.plans import need
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.form import form_fields, form_labels
from airflow_batch_provider.vendors import talkifai, talkifai_results, talkifai_submission


class TalkifAIHook(BatchApiHook):
    """TalkifAI batch calling.

    :param talkifai_conn_id: the id of the Airflow connection, of type ``talkifai``, whose password is the API key
    """

    vendor = talkifai.VENDOR
    probe = talkifai.BATCH_JOBS
    conn_name_attr = "talkifai_conn_id"
    default_conn_name = "talkifai_default"
    conn_type = "talkifai"
    hook_name = "TalkifAI"

    # Airflow 3.1 looks for these in the class itself.
    get_connection_form_widgets = classmethod(form_fields)
    get_ui_field_behaviour = classmethod(form_labels)

    def __init__(self, talkifai_conn_id: str = default_conn_name) -> None:
        super().__init__(talkifai_conn_id)
        self.talkifai_conn_id = talkifai_conn_id

    def iter_batch_jobs(
        self,
        organization_id: str | None = None,
        status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the batch calling jobs of an organization.

        :param organization_id: the id of the organization; default: that of the connection
        :param status: list only those with this status: ``pending``, ``scheduled``, ``running``, ``completed``,
            ``failed`` or ``cancelled``
        :param page: the number of the first page to read; default: 1
        :param page_size: rows per request, 1 to 100 (default)
        """
        return self.iter_listing(
            talkifai.BATCH_JOBS, organization_id=organization_id, status=status, page=page, page_size=page_size
        )

    def iter_contacts(
        self,
        batch_job_id: str,
        contact_status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the contacts of a batch calling job, each once; they are personal data.

        :param batch_job_id: the id of the job
        :param contact_status: list only contacts with this status, such as ``completed``, ``failed``, ``no_answer``,
            ``busy`` or ``invalid_number``
        :param page: the number of the first page to read; default: 1
        :param page_size: rows per request, 1 to 500 (default)
        """
        return self.iter_listing(
            talkifai.CONTACTS,
            batch_job_id=batch_job_id,
            contact_status=contact_status,
            page=page,
            page_size=page_size,
        )

    def get_batch_job(self, batch_job_id: str) -> dict[str, Any]:
        """Return a batch calling job with its counters and at most one of its contacts.

        :param batch_job_id: the id of the job
        """
        return self.get_resource(talkifai.BATCH_JOB, batch_job_id=batch_job_id)

    def get_conversation(self, room_name: str, *, recording: bool = False) -> dict[str, Any]:
        """Return the conversation of a contact, with transcript and analysis if they exist.

        The connection's ``export_path`` and ``export_auth`` set its path and authentication.

        :param room_name: the contact's ``roomName``; it contains the number that was called
        :param recording: whether to include the URL of the recording; default: false
        """
        values = self.fill(talkifai.CONVERSATION, {})
        asked = talkifai_results.conversation(values, room_name, recording=recording)
        return talkifai_results.unwrapped(self.run_plan(need(talkifai.CONVERSATION, **asked), values)).document

    def create_batch_job(
        self,
        *,
        name: str,
        contacts: Sequence[Mapping[str, Any]],
        from_phone_number_id: str,
        description: str | None = None,
        concurrent_call_limit: int | None = None,
        max_attempts: int | None = None,
        scheduled_start_time: datetime | str | None = None,
    ) -> dict[str, Any]:
        """Create a batch calling job and return the vendor's answer with ``batchJobId``. The request is sent once.

        It does not look for an existing job, unlike ``TalkifAIRunBatchJobOperator``, so each call creates a job.

        :param name: the name of the job, at most 200 characters
        :param contacts: the contacts, at most 10,000, each with a unique ``phone`` in E.164 form
        :param from_phone_number_id: the id of the phone number to call from
        :param description: the description, at most 1,000 characters
        :param concurrent_call_limit: the most calls at the same time, 1 to 50; default: the vendor's
        :param max_attempts: the most calls per contact, 1 to 10; default: the vendor's
        :param scheduled_start_time: the time to start, a datetime or ISO 8601; default: immediately
        :raises InvalidParameterError: a number is invalid or a duplicate; the message has the rows, counted from 1
        :raises AmbiguousRequestError: the answer was lost, so the job may or may not exist
        """
        if problem := talkifai_submission.problem_with(list(enumerate(contacts, 1))):
            raise InvalidParameterError(f"{talkifai.CREATE_BATCH_JOB.name}: {problem}", vendor=self.vendor.name)
        return self.act(
            talkifai.CREATE_BATCH_JOB,
            name=name,
            contacts=contacts,
            from_phone_number_id=from_phone_number_id,
            description=description,
            concurrent_call_limit=concurrent_call_limit,
            max_attempts=max_attempts,
            scheduled_start_time=scheduled_start_time,
        )

    def start_batch_job(self, batch_job_id: str) -> dict[str, Any]:
        """Start a pending or scheduled job, and return the vendor's answer.

        :param batch_job_id: the id of the job
        :raises RequestRefusedError: the job has started or ended
        """
        return self.act(talkifai.START_BATCH_JOB, batch_job_id=batch_job_id)

    def reschedule_batch_job(self, batch_job_id: str, scheduled_start_time: datetime | str) -> dict[str, Any]:
        """Change the start time of a pending or scheduled job, and return the vendor's answer.

        :param batch_job_id: the id of the job
        :param scheduled_start_time: the time to start, a datetime or ISO 8601
        """
        return self.act(
            talkifai.RESCHEDULE_BATCH_JOB, batch_job_id=batch_job_id, scheduled_start_time=scheduled_start_time
        )

    def cancel_batch_job(self, batch_job_id: str) -> dict[str, Any]:
        """Cancel a job, and return the vendor's answer; calls that have begun end normally.

        :param batch_job_id: the id of the job
        :raises RequestRefusedError: it has ended
        """
        return self.act(talkifai.CANCEL_BATCH_JOB, batch_job_id=batch_job_id)
