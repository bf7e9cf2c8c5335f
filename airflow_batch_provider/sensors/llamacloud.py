"""LlamaCloud: sensors."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.hooks.llamacloud import LlamaCloudHook
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.vendors import llamacloud


class _LlamaCloudSensor(BatchSensor):
    hook_class = LlamaCloudHook

    def __init__(
        self,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
        llamacloud_conn_id: str = LlamaCloudHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.organization_id = organization_id
        self.llamacloud_conn_id = llamacloud_conn_id


class LlamaCloudBatchSensor(_LlamaCloudSensor):
    """Waits until a LlamaCloud batch (v2) is completed, that is, every file has a job or an error.

    Failed items are the files without a job. It also takes the parameters of
    :class:`~airflow_batch_provider.sensors.batch.BatchSensor`.

    :param batch_id: the id of the batch
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
    """

    kind = llamacloud.BATCH_KIND
    id_field = "batch_id"
    template_fields = (
        *BatchSensor.template_fields,
        "batch_id",
        "project_id",
        "organization_id",
        "llamacloud_conn_id",
    )

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id


class LlamaCloudBatchProcessingJobSensor(_LlamaCloudSensor):
    """Waits until a LlamaCloud batch processing job (v1 beta) is completed.

    Failed items are those that the vendor counts as ``failed_items``. It also takes the parameters of
    :class:`~airflow_batch_provider.sensors.batch.BatchSensor`.

    :param job_id: the id of the job
    :param project_id: the id of the project; default: that of the connection, otherwise that of the API key
    :param organization_id: the id of the organization; default: as for ``project_id``
    :param llamacloud_conn_id: the id of the Airflow connection with the API key; default: ``llamacloud_default``
    """

    kind = llamacloud.BATCH_PROCESSING_JOB_KIND
    id_field = "job_id"
    template_fields = (*BatchSensor.template_fields, "job_id", "project_id", "organization_id", "llamacloud_conn_id")

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
