"""Exports from TalkifAI."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.vendors import talkifai


class TalkifAIExportBatchJobsOperator(ListingExportOperator):
    """Exports the batch calling jobs of a TalkifAI organization.

    Takes the parameters of :class:`~airflow_batch_provider.operators.export.ListingExportOperator` too.

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
