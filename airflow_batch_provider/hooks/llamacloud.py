"""LlamaCloud: batches (v2), batch processing jobs (v1 beta), their results, and directories."""

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

    ``project_id`` and ``organization_id`` default to those of the connection, otherwise to those of the API key.

    :param llamacloud_conn_id: the id of the Airflow connection, of type ``llamacloud``, whose password is the API key
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
        """Yield batches (v2).

        :param status: list only those with this status: ``PENDING``, ``THROTTLED``, ``RUNNING``, ``COMPLETED``,
            ``FAILED`` or ``CANCELLED``
        :param source_directory_id: list only batches of the directory with this id
        :param created_at_on_or_after: list only batches created at this time or later: a datetime, or ISO 8601; UTC if
            it has no time zone
        :param created_at_on_or_before: list only batches created at this time or earlier
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Return a batch (v2).

        :param batch_id: the id of the batch
        :param expand_results: whether to include ``results``, the job or the error of each file; default: false
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Yield batch processing jobs (v1 beta), all of them even if the vendor reports no total.

        :param directory_id: list only jobs of the directory with this id
        :param job_type: list only jobs of this type: ``parse``, ``extract`` or ``classify``
        :param status: list only those with this status: ``pending``, ``running``, ``dispatched``, ``completed``,
            ``failed`` or ``cancelled``
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :param limit: rows per request, 1 to 1,000 (default); not a limit of the listing
        :param offset: the number of rows to skip at the beginning; default: 0
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
        """Return a batch processing job (v1 beta) unchanged: ``{"job": ..., "progress_percentage": ...}``.

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Yield the results of a batch (v2): a row for each file with ``outcome``, ``error``, ``item`` and ``result``.

        ``item`` contains the file's entry in its directory as ``directory_file``. Contents of parse jobs are files,
        which only ``LlamaCloudExportBatchResultsOperator`` downloads.

        :param batch_id: the id of the batch
        :param unfinished: whether to read a batch that is not finished; by default it is an error
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises BatchUnfinishedError: it is not finished
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
        """Return a parse job, ``{"job": ..., ...}``, with the contents in ``expand``.

        :param job_id: the id of the job
        :param expand: the contents to include, such as ``markdown_full``, ``text_full``, ``items``, ``metadata`` or
            ``usage``
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Return an extract job with ``extract_result`` and ``extract_metadata``; integers are exact.

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :param limit: rows per request, 1 to 1,000 (default); not a limit of the listing
        :param offset: the number of rows to skip at the beginning; default: 0
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
        """Yield the results of a batch processing job (v1 beta): rows like those of :meth:`iter_batch_results`.

        :param job_id: the id of the job
        :param unfinished: whether to read a job that is not finished; by default it is an error
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises BatchUnfinishedError: it is not finished
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

        :param name: list only directories with this name; the vendor does not document whether a part is enough
        :param include_deleted: whether to list deleted ones too; default: false
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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

        :param directory_id: the id of the directory
        :param unique_id: list only the file with this ``unique_id``
        :param include_deleted: whether to list deleted ones too; default: false
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Create a directory and return it. The request is sent once.

        :param name: the name of the directory
        :param type: ``user`` (default), or ``ephemeral`` for a directory that expires
        :param description: the description of the directory
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises AmbiguousRequestError: the answer was lost, so it may or may not exist
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
        """Upload a file to a directory, streamed, and return its entry. The request is sent once.

        :param directory_id: the id of the directory
        :param file: a local path, a URI, or an ``ObjectStoragePath``
        :param unique_id: an id that is unique in the directory; default: the vendor uses the file's name
        :param display_name: the name to show; default: the file's name
        :param metadata: your own data about the file: a dict of texts, numbers and booleans
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises AmbiguousRequestError: the answer was lost, so it may or may not be there
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
        """Upload a file without a directory, streamed, and return it with its ``id``. The request is sent once.

        :param file: a local path, a URI, or an ``ObjectStoragePath``
        :param purpose: the purpose, which decides how long the vendor keeps the file: ``user_data``, ``parse``,
            ``extract``, ``classify``, ``split``, ``sheet`` or ``agent_app``
        :param external_file_id: your own id, by which the file can be listed
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises InvalidParameterError: ``purpose`` is not one of these
        :raises AmbiguousRequestError: the answer was lost, so it may or may not be there
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
        """Add an uploaded file to a directory, and return its entry. The request is sent once.

        :param directory_id: the id of the directory
        :param file_id: the id of the file
        :param unique_id: an id that is unique in the directory
        :param display_name: the name to show
        :param metadata: your own data about the file
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises AmbiguousRequestError: the answer was lost, so it may or may not be there
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
        """Save a configuration and return it with its ``id``; it replaces one with the same name and product type.

        :param name: the name of the configuration
        :param parameters: the content, with ``product_type`` such as ``parse_v2`` or ``extract_v2``
        :param project_id: the id of the project
        :param organization_id: the id of the organization
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
        """Create a batch (v2) of all files of a directory and return it; it starts now. The request is sent once.

        It does not look for an existing batch, unlike ``LlamaCloudRunBatchOperator``.

        :param source_directory_id: the id of the directory
        :param job_type: ``parse_v2`` or ``extract_v2``
        :param configuration_id: the id of a saved configuration, or a preset
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises AmbiguousRequestError: the answer was lost, so the batch may or may not exist
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
        """Cancel a batch (v2) and return it. It ends a little later, and finished files keep their results.

        :param batch_id: the id of the batch
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises RequestRefusedError: it has ended
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
        """Create a batch processing job (v1 beta) of all files of a directory and return it. The request is sent once.

        :param directory_id: the id of the directory
        :param job_config: the configuration of the job in the vendor's form
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises AmbiguousRequestError: the answer was lost, so the job may or may not exist
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
        """Cancel a batch processing job (v1 beta) and return the vendor's answer.

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        :raises RequestRefusedError: it has ended
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
        """Cancel a parse job, such as that of one file of a batch, and return the vendor's answer.

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        """
        return self.act(
            llamacloud.CANCEL_PARSE_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )

    def cancel_extract_job(
        self, job_id: str, *, project_id: str | None = None, organization_id: str | None = None
    ) -> dict[str, Any]:
        """Cancel an extract job, such as that of one file of a batch, and return the vendor's answer.

        :param job_id: the id of the job
        :param project_id: the id of the project
        :param organization_id: the id of the organization
        """
        return self.act(
            llamacloud.CANCEL_EXTRACT_JOB, job_id=job_id, project_id=project_id, organization_id=organization_id
        )


def _opened(file: str | ObjectStoragePath) -> tuple[str, Callable[[], IO[bytes]], int]:
    """Return the name of a file, what opens it, and its bytes."""
    from airflow.sdk import ObjectStoragePath

    path = ObjectStoragePath(file)
    return path.name, partial(path.fs.open, path.path, "rb"), int(path.fs.size(path.path))
