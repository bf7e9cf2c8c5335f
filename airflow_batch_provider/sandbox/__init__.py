"""The three vendors' batch APIs as a local server, to run and test DAGs without an account.

It is written from the vendors' documentation and imports nothing else of this package, so that one mistake cannot hide
another. It stores what is written in memory, and counts it in a journal. Run it with
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
