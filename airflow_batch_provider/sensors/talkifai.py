"""TalkifAI: sensors."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.hooks.talkifai import TalkifAIHook
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.vendors import talkifai


class TalkifAIBatchJobSensor(BatchSensor):
    """Waits until a TalkifAI batch calling job is completed.

    Failed items are failed calls. It also takes the parameters of
    :class:`~airflow_batch_provider.sensors.batch.BatchSensor`.

    :param batch_job_id: the id of the job
    :param organization_id: the id of the organization, so that waits can share polls; default: that of the connection
    :param talkifai_conn_id: the id of the Airflow connection with the API key; default: ``talkifai_default``
    """

    kind = talkifai.BATCH_JOB_KIND
    id_field = "batch_job_id"
    hook_class = TalkifAIHook
    template_fields = (*BatchSensor.template_fields, "batch_job_id", "organization_id", "talkifai_conn_id")

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
