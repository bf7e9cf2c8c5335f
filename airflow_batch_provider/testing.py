"""For users' tests of their DAGs: the vendors' APIs in process, and no pauses.

.. code-block:: python

    def test_my_dag():
        with sandbox(), no_backoff():
            assert my_dag.test().state == "success"
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from airflow_batch_provider import backoff
from airflow_batch_provider.sandbox import Sandbox, Settings, serve
from airflow_batch_provider.vendors import VENDORS


@contextmanager
def sandbox(settings: Settings | None = None) -> Iterator[Sandbox]:
    """Serve the three vendors' APIs on a free local port, and point the default connections to it.

    :param settings: how many jobs, how slow, how faulty; see :class:`airflow_batch_provider.sandbox.Settings`
    """
    with serve(settings or Settings()) as running, mock.patch.dict(os.environ, connections(running)):
        yield running


def connections(running: Sandbox) -> dict[str, str]:
    """Return the environment variables that define the default connections to a sandbox.

    :param running: the sandbox
    """
    return connections_to(running.url, running.how_to)


def connections_to(url: str, landing_page: Mapping[str, Any]) -> dict[str, str]:
    """Return the same for a sandbox that runs in another process.

    :param url: its URL
    :param landing_page: its answer to ``GET /``, with the keys and ids of the vendors
    """
    environment = {}
    for vendor in VENDORS:
        facts = landing_page[vendor.name]
        extra = {name: facts[name] for name in vendor.extras if name in facts}
        environment[f"AIRFLOW_CONN_{vendor.name.upper()}_DEFAULT"] = json.dumps(
            {"conn_type": vendor.name, "host": url, "password": facts["api_key"], "extra": extra}
        )
    return environment


@contextmanager
def no_backoff() -> Iterator[None]:
    """Retry immediately and without a rate limit, whatever the vendor or the connection asks for."""
    with mock.patch.object(backoff, "pause"):
        yield
