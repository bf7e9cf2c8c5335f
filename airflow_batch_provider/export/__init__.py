"""Pages -> parts -> a published export: complete, or not at all; and back again, checked.

Knows no vendor. What lies where while an export runs, and after it, is told in :mod:`.staging` and :mod:`.manifest`.
"""

from airflow_batch_provider.export.verifying import read_export, verify_export

__all__ = ["read_export", "verify_export"]
