"""TELUS/Playment: batches of a project, jobs of a batch, and their results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_batch_provider.exceptions import NotFoundError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.form import form_fields, form_labels
from airflow_batch_provider.vendors import playment, playment_results


class PlaymentHook(BatchApiHook):
    """TELUS International (Playment, GT Studio) annotation projects.

    Each method takes ``project_id=None`` for the project of the connection.

    :param playment_conn_id: the Airflow connection, of type ``playment``; its password is the API key
    """

    vendor = playment.VENDOR
    probe = playment.BATCHES
    conn_name_attr = "playment_conn_id"
    default_conn_name = "playment_default"
    conn_type = "playment"
    hook_name = "TELUS/Playment"

    # Airflow 3.1 looks for these in the class itself.
    get_connection_form_widgets = classmethod(form_fields)
    get_ui_field_behaviour = classmethod(form_labels)

    def __init__(self, playment_conn_id: str = default_conn_name) -> None:
        super().__init__(playment_conn_id)
        self.playment_conn_id = playment_conn_id

    def iter_batches(self, project_id: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the batches of a project. The vendor gives them all in one answer.

        :param project_id: the project
        """
        return self.iter_listing(playment.BATCHES, project_id=project_id)

    def iter_batch_jobs(self, project_id: str | None, batch_id: str) -> Iterator[dict[str, Any]]:
        """Yield the jobs of a batch, 100 per request; the vendor knows no other page size.

        :param project_id: the project that has the batch
        :param batch_id: the batch
        """
        return self.iter_listing(playment.BATCH_JOBS, project_id=project_id, batch_id=batch_id)

    def get_project(self, project_id: str | None = None) -> dict[str, Any]:
        """Return a project's details: name, kind of data, batches.

        :param project_id: the project
        """
        return self.get_resource(playment.PROJECT, project_id=project_id)

    def get_batch(self, project_id: str | None, batch_id: str) -> dict[str, Any]:
        """Return a batch with its status and counters, from the details of its project: the vendor has no other place.

        :param project_id: the project that has the batch
        :param batch_id: the batch
        :raises NotFoundError: the project has no such batch
        """
        self.request_for(playment.BATCH_JOBS, {"project_id": project_id, "batch_id": batch_id})
        for batch in self.iter_batches(project_id):
            if batch["id"] == batch_id:
                return batch
        raise NotFoundError(
            f"TELUS/Playment: the project has no batch {batch_id!r}. Check project_id and batch_id.",
            vendor=self.vendor.name,
            endpoint=playment.BATCHES.address,
        )

    def get_job_result(self, project_id: str | None, job_id: str) -> dict[str, Any]:
        """Return a job with its ``result``, the address of the annotations; empty until the job is completed.

        :param project_id: the project that has the job
        :param job_id: the job
        """
        return self.get_resource(playment.JOB_RESULT, project_id=project_id, job_id=job_id)

    def iter_job_results(
        self, project_id: str | None, batch_id: str, *, unfinished: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield what became of each job of a batch, as rows with ``outcome``, ``error``, ``item`` and ``result``.

        The annotations themselves are files, which ``PlaymentExportJobResultsOperator`` fetches.

        :param project_id: the project that has the batch
        :param batch_id: the batch
        :param unfinished: whether to take what is there of a batch that is not finished
        :raises BatchUnfinishedError: it is not
        """
        return self.iter_results(
            playment_results.JOB_RESULTS, takes_unfinished=unfinished, project_id=project_id, batch_id=batch_id
        )

    def create_batch(self, project_id: str | None, name: str, description: str | None = None) -> dict[str, Any]:
        """Create a batch without jobs, and return the vendor's answer with ``batch_id``. It is sent once.

        :param project_id: the project
        :param name: its name, which the project must not have yet
        :param description: what it is about
        :raises RequestRefusedError: the name is taken (``BATCH_CREATION``)
        :raises AmbiguousRequestError: it is not known whether the batch was created
        """
        return self.act(playment.CREATE_BATCH, project_id=project_id, name=name, description=description)

    def create_job(
        self,
        project_id: str | None,
        batch_id: str | None,
        *,
        reference_id: str,
        work_flow_id: str,
        data: Mapping[str, Any],
        priority_weight: int | None = None,
    ) -> dict[str, Any]:
        """Create a job, which no API withdraws, and return the vendor's answer with ``job_id``. It is sent once.

        :param project_id: the project
        :param batch_id: the batch; the project's default batch if None
        :param reference_id: your own id, which the project takes once
        :param work_flow_id: the workflow
        :param data: what to annotate, as the vendor documents it, such as ``{"image_url": ...}``
        :param priority_weight: 1 to 9
        :raises RequestRefusedError: there is a job with this ``reference_id`` (``FS_0001``), or the data is refused
        :raises AmbiguousRequestError: it is not known whether the job was created
        """
        return self.act(
            playment.CREATE_JOB,
            project_id=project_id,
            batch_id=batch_id,
            reference_id=reference_id,
            work_flow_id=work_flow_id,
            data=data,
            priority_weight=priority_weight,
        )
