"""Pages -> parts -> a published export: complete, or not at all; and back again, checked.

Knows no vendor. :mod:`.staging` and :mod:`.manifest` document which files there are during an export and after it.
"""

from airflow_batch_provider.expect import Expect
from airflow_batch_provider.export.failed_items import FailedItems, failed_items
from airflow_batch_provider.export.folder_names import folder_name
from airflow_batch_provider.export.reading import export_uris, read_table
from airflow_batch_provider.export.verifying import read_export, verify_export

__all__ = [
    "Expect",
    "FailedItems",
    "export_uris",
    "failed_items",
    "folder_name",
    "read_export",
    "read_table",
    "verify_export",
]
