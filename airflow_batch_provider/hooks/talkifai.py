"""TalkifAI: batch calling jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_batch_provider.apis.plans import need
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.form import form_fields, form_labels
from airflow_batch_provider.vendors import talkifai


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
        asked = talkifai.conversation(values, room_name, recording=recording)
        return talkifai.unwrapped(self.run_plan(need(talkifai.CONVERSATION, **asked), values)).document
