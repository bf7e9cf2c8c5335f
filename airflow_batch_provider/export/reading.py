"""An export for other engines: the URIs of its parts, or all of it as an Arrow table."""

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
    """Return the URIs of an export's parts, in order, by its manifest.

    Rows of results name their files, which lie below the destination. The URIs name no Airflow connection, and nothing
    in them is encoded. An export that replaces this one removes its parts.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the Airflow connection for a URI that names none
    :raises DestinationError: the destination cannot be opened
    :raises ExportDamagedError: there is no manifest, or none that can be read
    """
    store = open_destination(destination, conn_id)
    return [store.uri_of(part.path) for part in PublishedExport(store).manifest.parts]


def read_table(
    destination: str | ObjectStoragePath, conn_id: str | None = None, *, columns: Sequence[Column] | None = None
) -> pa.Table:
    """Read an export as an Arrow table; each file is checked before it is used. Needs the extra ``parquet``.

    The table has a column for each field that the vendor documents, of the documented type whatever the rows contain,
    and ``_extra``: the same columns for every format, for columns of nulls and without rows.

    :param destination: the folder: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the Airflow connection for a URI that names none
    :param columns: the documented fields, if the listing is not one of this package's and the files are not Parquet
    :raises DestinationError: the destination cannot be opened
    :raises InvalidParameterError: a library that reads the files is not installed, or the columns are not known
    :raises ExportDamagedError: what is there is not what was exported; says what is wrong
    :raises ExportReplacedError: another export took its place meanwhile
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
