"""Exports for other engines: the URIs of the parts, or an Arrow table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.export.verifying import PublishedExport, open_destination
from airflow_batch_provider.formats.registry import FORMATS
from airflow_batch_provider.libraries import Library

if TYPE_CHECKING:
    import pyarrow as pa
    from airflow.sdk import ObjectStoragePath

    from airflow_batch_provider.apis.columns import Column
    from airflow_batch_provider.export.manifest import Manifest


def export_uris(destination: str | ObjectStoragePath, conn_id: str | None = None) -> list[str]:
    """Return the URIs of the parts of an export, in order.

    They contain no Airflow connection, and are not percent-encoded. If another export replaces this one, its parts are
    removed. Files of results are not included; their paths are in the rows.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :raises DestinationError: the destination cannot be opened
    :raises ExportDamagedError: there is no manifest, or it cannot be read
    """
    store = open_destination(destination, conn_id)
    return [store.uri_of(part.path) for part in PublishedExport(store).manifest.parts]


def read_table(
    destination: str | ObjectStoragePath, conn_id: str | None = None, *, columns: Sequence[Column] | None = None
) -> pa.Table:
    """Read an export of any format as an Arrow table. Each file is checked first. It needs the extra ``parquet``.

    The table has a column of the documented type for each field that the vendor documents, and ``_extra``. The columns
    are the same for every format, and do not depend on the rows.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :param columns: the columns of a listing of another package; not needed for Parquet
    :raises DestinationError: the destination cannot be opened
    :raises InvalidParameterError: a library is not installed, or the columns are not known
    :raises ExportDamagedError: the export is damaged; the message lists the faults
    :raises ExportReplacedError: another export replaced it in the meantime
    """
    Library("pyarrow", "parquet").require("read_table")
    export = PublishedExport(open_destination(destination, conn_id))
    export.check_sums()
    return export.table(_columns_of(export.manifest) if columns is None else columns)


def _columns_of(manifest: Manifest) -> Sequence[Column]:
    from airflow_batch_provider.vendors import EXPORTS

    if known := EXPORTS.get(manifest.listing):
        return known.columns
    if manifest.parts and FORMATS[manifest.format].has_types:
        return ()
    raise InvalidParameterError(
        f"The columns of {manifest.listing} are not known to this package; pass those of its declaration as columns."
    )
