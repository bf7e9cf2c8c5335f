"""TELUS/Playment: sensors."""

from __future__ import annotations

from typing import Any

from airflow_batch_provider.hooks.playment import PlaymentHook
from airflow_batch_provider.sensors.batch import BatchSensor
from airflow_batch_provider.vendors import playment


class _PlaymentSensor(BatchSensor):
    kind = playment.BATCH_KIND
    hook_class = PlaymentHook

    def __init__(
        self,
        *,
        project_id: str | None = None,
        playment_conn_id: str = PlaymentHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project_id = project_id
        self.playment_conn_id = playment_conn_id


class PlaymentProjectSensor(_PlaymentSensor):
    """Waits until all batches of a TELUS/Playment project are complete, except the default batch, which never closes.

    It also waits while the project has no other batches. It also takes the parameters of
    :class:`~airflow_batch_provider.sensors.batch.BatchSensor`.

    :param project_id: the id of the project; default: that of the connection
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
    """

    id_field = None
    template_fields = (*BatchSensor.template_fields, "project_id", "playment_conn_id")


class PlaymentBatchSensor(_PlaymentSensor):
    """Waits until the status of a TELUS/Playment batch is complete; its counters do not decide.

    It also takes the parameters of :class:`~airflow_batch_provider.sensors.batch.BatchSensor`.

    :param batch_id: the id of the batch
    :param project_id: the id of its project; default: that of the connection
    :param playment_conn_id: the id of the Airflow connection with the API key; default: ``playment_default``
    """

    id_field = "batch_id"
    template_fields = (*BatchSensor.template_fields, "batch_id", "project_id", "playment_conn_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
