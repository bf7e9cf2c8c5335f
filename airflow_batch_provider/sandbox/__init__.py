"""The three vendors' batch APIs as a local server, to try DAGs without an account and to test against.

An independent reading of the vendors' documentation: it imports nothing else of this package, so that one
mistake cannot hide another. It takes writes too, keeps them in memory, and counts them in a journal. Run it with
``python -m airflow_batch_provider.sandbox``, or in a test::

    with serve(Settings(jobs=250)) as sandbox:
        assert requests.get(sandbox.url).json() == sandbox.how_to
"""

from __future__ import annotations

from airflow_batch_provider.sandbox.app import create_app
from airflow_batch_provider.sandbox.journal import Counted, Journal, VendorJournal
from airflow_batch_provider.sandbox.server import Sandbox, serve
from airflow_batch_provider.sandbox.settings import Settings

__all__ = ["Counted", "Journal", "Sandbox", "Settings", "VendorJournal", "create_app", "serve"]
