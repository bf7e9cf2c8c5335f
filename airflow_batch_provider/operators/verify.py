"""Checks an export that was published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.hooks.checked_task import CheckedTask
from airflow_batch_provider.links.export_page import PublishedExportLink
from airflow_batch_provider.stores.role import DESTINATION

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_batch_provider.stores.destination import Store


class VerifyExportOperator(CheckedTask):
    """Checks that an export is whole, before anything builds on it.

    It reads every file, and compares its size, SHA-256 and number of rows with the manifest. A file that looks like a
    part of the export but is not in the manifest is an error too. The task returns the summary of the manifest.

    :param destination: the folder of the export: a URI, an absolute path, or an ``ObjectStoragePath``
    :param destination_conn_id: the id of the Airflow connection for a URI that contains none
    :raises DestinationError: the destination cannot be opened
    :raises ExportDamagedError: the export is damaged; the message lists each fault, and Airflow does not retry
    :raises ExportReplacedError: another export replaced it during the check; Airflow retries
    """

    template_fields: Sequence[str] = ("destination", "destination_conn_id")
    places = (DESTINATION,)
    operator_extra_links = (PublishedExportLink(),)
    published_to: Store | None = None

    def __init__(
        self, *, destination: str | ObjectStoragePath, destination_conn_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.destination_conn_id = destination_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the export and return the manifest's summary."""
        # These import fsspec, which parsing a DAG must not cost.
        from airflow_batch_provider.export.verifying import PublishedExport
        from airflow_batch_provider.stores.destination import open_store

        store = open_store(self.destination, self.destination_conn_id or None)
        export = PublishedExport(store)
        export.verify()
        manifest = export.manifest
        self.log.info("Verified %d rows in %d parts at %s", manifest.rows, len(manifest.parts), store.uri)
        self.published_to = store
        return manifest.summary(store.uri)
