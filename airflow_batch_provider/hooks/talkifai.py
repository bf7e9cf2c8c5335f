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

    :param talkifai_conn_id: the Airflow connection, of type ``talkifai``; its password is the API key
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

        :param organization_id: the organization; that of the connection if left out
        :param status: only those in this state: ``pending``, ``scheduled``, ``running``, ``completed``, ``failed``
            or ``cancelled``
        :param page: the page to begin with, 1 by default
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

        :param batch_job_id: the job
        :param contact_status: only those in this state, such as ``completed``, ``failed``, ``no_answer``, ``busy`` or
            ``invalid_number``
        :param page: the page to begin with, 1 by default
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
        """Return a batch calling job with its counters, and at most one of its contacts.

        :param batch_job_id: the job
        """
        return self.get_resource(talkifai.BATCH_JOB, batch_job_id=batch_job_id)

    def get_conversation(self, room_name: str, *, recording: bool = False) -> dict[str, Any]:
        """Return the conversation of a contact, with transcript and analysis as far as they are there.

        Path and authentication are those of the connection's ``export_path`` and ``export_auth``.

        :param room_name: the contact's ``roomName``; it contains the number that was called
        :param recording: whether to ask for the address of the recording too
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
        """Create a batch calling job, and return the vendor's answer with ``batchJobId``. It is sent once.

        ``TalkifAIRunBatchJobOperator`` makes sure that nobody is called twice, which this does not.

        :param name: its name, at most 200 characters
        :param contacts: at most 10,000, each with ``phone`` in the form of E.164, each number once
        :param from_phone_number_id: the number to call from
        :param description: at most 1,000 characters
        :param concurrent_call_limit: calls at a time, 1 to 50
        :param max_attempts: how often a contact is called at most, 1 to 10
        :param scheduled_start_time: when to start; immediately if left out
        :raises InvalidParameterError: a number is wrong or there twice; names the rows, from 1
        :raises AmbiguousRequestError: it is not known whether the job was created
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
        """Start a job that is pending or scheduled, and return the vendor's answer.

        :param batch_job_id: the job
        :raises RequestRefusedError: it has started already, or has ended
        """
        return self.act(talkifai.START_BATCH_JOB, batch_job_id=batch_job_id)

    def reschedule_batch_job(self, batch_job_id: str, scheduled_start_time: datetime | str) -> dict[str, Any]:
        """Change when a job starts that is pending or scheduled, and return the vendor's answer.

        :param batch_job_id: the job
        :param scheduled_start_time: when to start
        """
        return self.act(
            talkifai.RESCHEDULE_BATCH_JOB, batch_job_id=batch_job_id, scheduled_start_time=scheduled_start_time
        )

    def cancel_batch_job(self, batch_job_id: str) -> dict[str, Any]:
        """Cancel a job, and return the vendor's answer; calls that have begun end normally.

        :param batch_job_id: the job
        :raises RequestRefusedError: it has ended already
        """
        return self.act(talkifai.CANCEL_BATCH_JOB, batch_job_id=batch_job_id)
