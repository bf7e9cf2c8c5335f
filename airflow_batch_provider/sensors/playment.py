"""Waits on TELUS/Playment."""

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
    """Waits until all batches of a TELUS/Playment project are complete, but the default one, which is never closed.

    A project without other batches is waited on. Takes the parameters of
    :class:`~airflow_batch_provider.sensors.batch.BatchSensor` too.

    :param project_id: the project; that of the connection if left out
    :param playment_conn_id: the Airflow connection with the API key
    """

    id_field = None
    template_fields = (*BatchSensor.template_fields, "project_id", "playment_conn_id")


class PlaymentBatchSensor(_PlaymentSensor):
    """Waits until a TELUS/Playment batch is complete, by its status; counters are only reported.

    Takes the parameters of :class:`~airflow_batch_provider.sensors.batch.BatchSensor` too.

    :param batch_id: the batch
    :param project_id: the project that has it; that of the connection if left out
    :param playment_conn_id: the Airflow connection with the API key
    """

    id_field = "batch_id"
    template_fields = (*BatchSensor.template_fields, "batch_id", "project_id", "playment_conn_id")

    def __init__(self, *, batch_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.batch_id = batch_id
