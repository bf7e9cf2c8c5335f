"""LlamaCloud: v2 batches, batch processing jobs of the v1 beta, their results, and directories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from airflow_batch_provider.apis.parameter import Choice, Violation
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.form import form_fields, form_labels
from airflow_batch_provider.vendors import llamacloud, llamacloud_directories, llamacloud_results

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


class LlamaCloudHook(BatchApiHook):
    """LlamaCloud document processing.

    ``project_id`` and ``organization_id`` left out are those of the connection, else the key's own.

    :param llamacloud_conn_id: the Airflow connection, of type ``llamacloud``; its password is the API key
    """

    vendor = llamacloud.VENDOR
    probe = llamacloud.BATCHES
    conn_name_attr = "llamacloud_conn_id"
    default_conn_name = "llamacloud_default"
    conn_type = "llamacloud"
    hook_name = "LlamaCloud"

    # Airflow 3.1 looks for these in the class itself.
    get_connection_form_widgets = classmethod(form_fields)
    get_ui_field_behaviour = classmethod(form_labels)

    def __init__(self, llamacloud_conn_id: str = default_conn_name) -> None:
        super().__init__(llamacloud_conn_id)
        self.llamacloud_conn_id = llamacloud_conn_id

    def iter_batches(
        self,
        *,
        status: str | None = None,
        source_directory_id: str | None = None,
        created_at_on_or_after: datetime | str | None = None,
        created_at_on_or_before: datetime | str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield v2 batches.

        :param status: only those in this state: ``PENDING``, ``THROTTLED``, ``RUNNING``, ``COMPLETED``, ``FAILED``
            or ``CANCELLED``
        :param source_directory_id: only those of this directory
        :param created_at_on_or_after: only those created then or later; a datetime or ISO 8601, UTC if it says nothing
        :param created_at_on_or_before: only those created then or earlier
        :param project_id: the project
        :param organization_id: the organization
        :param page_size: rows per request, 1 to 100 (default)
        """
        return self.iter_listing(
            llamacloud.BATCHES,
            status=status,
            source_directory_id=source_directory_id,
            created_at_on_or_after=created_at_on_or_after,
            created_at_on_or_before=created_at_on_or_before,
            project_id=project_id,
            organization_id=organization_id,
            page_size=page_size,
        )

    def get_batch(
        self,
        batch_id: str,
        expand_results: bool = False,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Return a v2 batch.

        :param batch_id: the batch
        :param expand_results: whether to ask for ``results``, the job or the error of each file
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.BATCH,
            batch_id=batch_id,
            expand="results" if expand_results else None,
            project_id=project_id,
            organization_id=organization_id,
        )

    def iter_batch_processing_jobs(
        self,
        *,
        directory_id: str | None = None,
        job_type: str | None = None,
        status: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield batch processing jobs (v1 beta); neither ``total_size`` nor ``next_page_token`` ends the listing.

        :param directory_id: only those of this directory
        :param job_type: only ``parse``, ``extract`` or ``classify``
        :param status: only those in this state: ``pending``, ``running``, ``dispatched``, ``completed``, ``failed``
            or ``cancelled``
        :param project_id: the project
        :param organization_id: the organization
        :param limit: rows per request, 1 to 1000 (default); not a limit of the whole
        :param offset: how many rows to leave out at the beginning, 0 by default
        """
        return self.iter_listing(
            llamacloud.BATCH_PROCESSING_JOBS,
            directory_id=directory_id,
            job_type=job_type,
            status=status,
            project_id=project_id,
            organization_id=organization_id,
            limit=limit,
            offset=offset,
        )

    def get_batch_processing_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Return a batch processing job (v1 beta): ``{"job": ..., "progress_percentage": ...}``, nested as it comes.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.BATCH_PROCESSING_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )

    def iter_batch_results(
        self,
        batch_id: str,
        *,
        unfinished: bool = False,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what became of each file of a v2 batch, as rows with ``outcome``, ``error``, ``item`` and ``result``.

        ``item`` has the file in its directory too, as ``directory_file``. Contents of parse jobs are files, which
        ``LlamaCloudExportBatchResultsOperator`` fetches.

        :param batch_id: the batch
        :param unfinished: whether to take what is there of a batch that is not finished
        :param project_id: the project
        :param organization_id: the organization
        :raises BatchUnfinishedError: it is not
        """
        return self.iter_results(
            llamacloud_results.RESULTS,
            takes_unfinished=unfinished,
            batch_id=batch_id,
            project_id=project_id,
            organization_id=organization_id,
        )

    def get_parse_result(
        self,
        job_id: str,
        expand: Sequence[str] = (),
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Return a parse job, ``{"job": ..., ...}``, with the contents that are asked for.

        :param job_id: the job
        :param expand: what to add, such as ``markdown_full``, ``text_full``, ``items``, ``metadata`` or ``usage``
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.PARSE_JOB,
            job_id=job_id,
            expand=list(expand) or None,
            project_id=project_id,
            organization_id=organization_id,
        )

    def get_extract_result(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Return an extract job with ``extract_result`` and ``extract_metadata``; whole numbers are exact.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.get_resource(
            llamacloud.EXTRACT_JOB,
            job_id=job_id,
            expand=["extract_metadata", "usage"],
            project_id=project_id,
            organization_id=organization_id,
        )

    def iter_batch_processing_items(
        self,
        job_id: str,
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a batch processing job (v1 beta).

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        :param limit: rows per request, 1 to 1000 (default); not a limit of the whole
        :param offset: how many rows to leave out at the beginning, 0 by default
        """
        return self.iter_listing(
            llamacloud.BATCH_PROCESSING_ITEMS,
            job_id=job_id,
            project_id=project_id,
            organization_id=organization_id,
            limit=limit,
            offset=offset,
        )

    def iter_batch_processing_results(
        self,
        job_id: str,
        *,
        unfinished: bool = False,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what became of each item of a batch processing job (v1 beta); otherwise as for v2 batches.

        :param job_id: the job
        :param unfinished: whether to take what is there of a job that is not finished
        :param project_id: the project
        :param organization_id: the organization
        :raises BatchUnfinishedError: it is not
        """
        return self.iter_results(
            llamacloud_results.PROCESSING_JOB_RESULTS,
            takes_unfinished=unfinished,
            job_id=job_id,
            project_id=project_id,
            organization_id=organization_id,
        )

    def iter_directories(
        self,
        *,
        name: str | None = None,
        include_deleted: bool = False,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield directories.

        :param name: only those of this name; whether a part of it is enough is not documented
        :param include_deleted: also those that were deleted
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.iter_listing(
            llamacloud_directories.DIRECTORIES,
            name=name,
            include_deleted=include_deleted or None,
            project_id=project_id,
            organization_id=organization_id,
        )

    def iter_directory_files(
        self,
        directory_id: str,
        *,
        unique_id: str | None = None,
        include_deleted: bool = False,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the files of a directory.

        :param directory_id: the directory
        :param unique_id: only the file with this ``unique_id``
        :param include_deleted: also those that were deleted
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.iter_listing(
            llamacloud.DIRECTORY_FILES,
            directory_id=directory_id,
            unique_id=unique_id,
            include_deleted=include_deleted or None,
            project_id=project_id,
            organization_id=organization_id,
        )

    def create_directory(
        self,
        name: str,
        *,
        type: str = "user",  # noqa: A002 - the vendor's word
        description: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Create a directory, and return it. It is sent once.

        :param name: its name
        :param type: ``user`` (default), or ``ephemeral`` for one that expires
        :param description: what it is for
        :param project_id: the project
        :param organization_id: the organization
        :raises AmbiguousRequestError: it is not known whether it was created
        """
        return self.act(
            llamacloud_directories.CREATE_DIRECTORY,
            name=name,
            type=type,
            description=description,
            project_id=project_id,
            organization_id=organization_id,
        )

    def upload_file(
        self,
        directory_id: str,
        file: str | ObjectStoragePath,
        *,
        unique_id: str | None = None,
        display_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Upload a file to a directory, streamed, and return the directory's file. It is sent once.

        :param directory_id: the directory
        :param file: a local path, a URI, or an ``ObjectStoragePath``
        :param unique_id: what it is known by in the directory; the vendor takes its name if left out
        :param display_name: what people call it; its name if left out
        :param metadata: your own facts on it: texts, numbers, true and false
        :param project_id: the project
        :param organization_id: the organization
        :raises AmbiguousRequestError: it is not known whether it was uploaded
        """
        parts = llamacloud_directories.upload_parts(
            *_opened(file), unique_id=unique_id, display_name=display_name, metadata=metadata
        )
        return self.act(
            llamacloud_directories.UPLOAD_FILE,
            parts,
            directory_id=directory_id,
            project_id=project_id,
            organization_id=organization_id,
        )

    def create_file(
        self,
        file: str | ObjectStoragePath,
        *,
        purpose: str,
        external_file_id: str | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Upload a file that is in no directory, streamed, and return it with its ``id``. It is sent once.

        :param file: a local path, a URI, or an ``ObjectStoragePath``
        :param purpose: what it is for, which decides how long it is kept: ``user_data``, ``parse``, ``extract``,
            ``classify``, ``split``, ``sheet`` or ``agent_app``
        :param external_file_id: your own id, by which it can be listed
        :param project_id: the project
        :param organization_id: the organization
        :raises InvalidParameterError: the purpose is another word
        :raises AmbiguousRequestError: it is not known whether it was uploaded
        """
        if purpose not in llamacloud_directories.PURPOSES:
            violation = Violation("purpose", purpose, Choice(llamacloud_directories.PURPOSES).allowed)
            raise InvalidParameterError(f"{llamacloud_directories.CREATE_FILE.name}: {violation}.")
        texts = llamacloud_directories.text_parts(purpose=purpose, external_file_id=external_file_id)
        parts = *texts, llamacloud_directories.file_part("file", *_opened(file))
        return self.act(
            llamacloud_directories.CREATE_FILE, parts, project_id=project_id, organization_id=organization_id
        )

    def add_file(
        self,
        directory_id: str,
        file_id: str,
        *,
        unique_id: str | None = None,
        display_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Put a file that LlamaCloud has already into a directory, and return the directory's file. It is sent once.

        :param directory_id: the directory
        :param file_id: the file
        :param unique_id: what it is known by in the directory
        :param display_name: what people call it
        :param metadata: your own facts on it
        :param project_id: the project
        :param organization_id: the organization
        :raises AmbiguousRequestError: it is not known whether it was added
        """
        return self.act(
            llamacloud_directories.ADD_FILE,
            directory_id=directory_id,
            file_id=file_id,
            unique_id=unique_id,
            display_name=display_name,
            metadata=metadata,
            project_id=project_id,
            organization_id=organization_id,
        )

    def save_configuration(
        self,
        name: str,
        parameters: Mapping[str, Any],
        *,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Save a configuration, in place of the one with its name and product type, and return it with its ``id``.

        :param name: its name
        :param parameters: its content, with ``product_type`` such as ``parse_v2`` or ``extract_v2``
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.act(
            llamacloud_directories.SAVE_CONFIGURATION,
            name=name,
            parameters=parameters,
            project_id=project_id,
            organization_id=organization_id,
        )

    def create_batch(
        self,
        *,
        source_directory_id: str,
        job_type: str,
        configuration_id: str,
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Create a batch (v2) of all files of a directory, and return it. It is sent once; the batch runs immediately.

        ``LlamaCloudRunBatchOperator`` makes sure that a piece of work is paid once, which this does not.

        :param source_directory_id: the directory
        :param job_type: ``parse_v2`` or ``extract_v2``
        :param configuration_id: the saved configuration, or a preset
        :param project_id: the project
        :param organization_id: the organization
        :raises AmbiguousRequestError: it is not known whether the batch was created
        """
        return self.act(
            llamacloud.CREATE_BATCH,
            source_directory_id=source_directory_id,
            job_type=job_type,
            configuration_id=configuration_id,
            project_id=project_id,
            organization_id=organization_id,
        )

    def cancel_batch(
        self, batch_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Cancel a batch (v2), and return it; it is cancelled a little later, and finished files keep their results.

        :param batch_id: the batch
        :param project_id: the project
        :param organization_id: the organization
        :raises RequestRefusedError: it has ended already
        """
        return self.act(
            llamacloud.CANCEL_BATCH, batch_id=batch_id, project_id=project_id, organization_id=organization_id
        )

    def create_batch_processing_job(
        self,
        *,
        directory_id: str,
        job_config: Mapping[str, Any],
        project_id: str | None = None,
        organization_id: str | None = None,
    ) -> dict[str, Any]:
        """Create a batch processing job (v1 beta) of all files of a directory, and return it. It is sent once.

        :param directory_id: the directory
        :param job_config: what to do, as the vendor takes it
        :param project_id: the project
        :param organization_id: the organization
        :raises AmbiguousRequestError: it is not known whether the job was created
        """
        return self.act(
            llamacloud.CREATE_BATCH_PROCESSING_JOB,
            directory_id=directory_id,
            job_config=job_config,
            project_id=project_id,
            organization_id=organization_id,
        )

    def cancel_batch_processing_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Cancel a batch processing job (v1 beta), and return the vendor's answer.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        :raises RequestRefusedError: it has ended already
        """
        return self.act(
            llamacloud.CANCEL_BATCH_PROCESSING_JOB,
            job_id=job_id,
            project_id=project_id,
            organization_id=organization_id,
        )

    def cancel_parse_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Cancel one parse job, as of one file of a batch, and return the vendor's answer.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.act(
            llamacloud.CANCEL_PARSE_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )

    def cancel_extract_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Cancel one extract job, as of one file of a batch, and return the vendor's answer.

        :param job_id: the job
        :param project_id: the project
        :param organization_id: the organization
        """
        return self.act(
            llamacloud.CANCEL_EXTRACT_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )


def _opened(file: str | ObjectStoragePath) -> tuple[str, Callable[[], IO[bytes]], int]:
    """Return the name of a file, what opens it, and its bytes."""
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(file)
    return path.name, partial(path.fs.open, path.path, "rb"), int(path.fs.size(path.path))
