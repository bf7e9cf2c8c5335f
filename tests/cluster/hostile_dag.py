"""Waits for the jobs of a vendor whose texts are hostile."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_batch_provider.sensors.llamacloud import LlamaCloudBatchProcessingJobSensor

with DAG("hostile", schedule=None):
    for job_id in ("surrogate", "nul", "nul-in-a-success"):
        LlamaCloudBatchProcessingJobSensor(
            task_id=job_id,
            job_id=job_id,
            llamacloud_conn_id="hostile",
            deferrable=True,
            poke_interval=2,
        )
