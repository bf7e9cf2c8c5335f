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

    With ``project_id=None``, each method uses the project of the connection.

    :param playment_conn_id: the id of the Airflow connection, of type ``playment``, whose password is the API key
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
        """Yield the batches of a project. The vendor sends them all in one answer.

        :param project_id: the id of the project
        """
        return self.iter_listing(playment.BATCHES, project_id=project_id)

    def iter_batch_jobs(self, project_id: str | None, batch_id: str) -> Iterator[dict[str, Any]]:
        """Yield the jobs of a batch, 100 per request, which the vendor has fixed.

        :param project_id: the id of its project
        :param batch_id: the id of the batch
        """
        return self.iter_listing(playment.BATCH_JOBS, project_id=project_id, batch_id=batch_id)

    def get_project(self, project_id: str | None = None) -> dict[str, Any]:
        """Return the details of a project: name, kind of data, batches.

        :param project_id: the id of the project
        """
        return self.get_resource(playment.PROJECT, project_id=project_id)

    def get_batch(self, project_id: str | None, batch_id: str) -> dict[str, Any]:
        """Return a batch with its status and counters, from the details of its project.

        :param project_id: the id of its project
        :param batch_id: the id of the batch
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
        """Return a job with its ``result``, the URL of the annotations, which is empty until the job is completed.

        :param project_id: the id of its project
        :param job_id: the id of the job
        """
        return self.get_resource(playment.JOB_RESULT, project_id=project_id, job_id=job_id)

    def iter_job_results(
        self, project_id: str | None, batch_id: str, *, unfinished: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Yield the results of a batch: a row for each job with ``outcome``, ``error``, ``item`` and ``result``.

        The annotations are files, which only ``PlaymentExportJobResultsOperator`` downloads.

        :param project_id: the id of its project
        :param batch_id: the id of the batch
        :param unfinished: whether to read a batch that is not finished; by default it is an error
        :raises BatchUnfinishedError: it is not finished
        """
        return self.iter_results(
            playment_results.JOB_RESULTS, takes_unfinished=unfinished, project_id=project_id, batch_id=batch_id
        )

    def create_batch(self, project_id: str | None, name: str, description: str | None = None) -> dict[str, Any]:
        """Create a batch without jobs, and return the vendor's answer with ``batch_id``. The request is sent once.

        :param project_id: the id of the project
        :param name: the name of the batch, unique in the project
        :param description: the description of the batch
        :raises RequestRefusedError: the name is taken (``BATCH_CREATION``)
        :raises AmbiguousRequestError: the answer was lost, so the batch may or may not exist
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
        """Create a job and return the vendor's answer with ``job_id``. The request is sent once. No API deletes a job.

        :param project_id: the id of the project
        :param batch_id: the id of the batch; None for the project's default batch
        :param reference_id: your own id of the job, unique in the project
        :param work_flow_id: the id of the workflow
        :param data: the data to annotate as the vendor documents it, such as ``{"image_url": ...}``
        :param priority_weight: the priority, 1 to 9; default: the vendor's
        :raises RequestRefusedError: there is a job with this ``reference_id`` (``FS_0001``), or the data is refused
        :raises AmbiguousRequestError: the answer was lost, so the job may or may not exist
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
