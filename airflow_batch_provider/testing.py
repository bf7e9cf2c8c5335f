"""For users' tests of their own DAGs: the vendors' APIs in process, and no waiting.

.. code-block:: python

    def test_my_dag():
        with sandbox(), no_backoff():
            assert my_dag.test().state == "success"
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from airflow_batch_provider import backoff
from airflow_batch_provider.sandbox import Sandbox, Settings, serve


@contextmanager
def sandbox(settings: Settings | None = None) -> Iterator[Sandbox]:
    """Serve the three vendors' APIs on a free local port, with the default connections leading there.

    :param settings: how many jobs, how slow, how faulty; see :class:`airflow_batch_provider.sandbox.Settings`
    """
    with serve(settings or Settings()) as running, mock.patch.dict(os.environ, connections(running)):
        yield running


def connections(running: Sandbox) -> dict[str, str]:
    """Return the environment variables that define the default connections to a sandbox.

    :param running: the sandbox
    """
    environment = {}
    for vendor in ("playment", "llamacloud", "talkifai"):
        facts = dict(running.how_to[vendor])
        extra = {name: facts[name] for name in ("project_id", "organization_id") if name in facts}
        environment[f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT"] = json.dumps(
            {"conn_type": vendor, "host": running.url, "password": facts["api_key"], "extra": extra}
        )
    return environment


@contextmanager
def no_backoff() -> Iterator[None]:
    """Send requests again at once, and as fast as they go, whatever the vendor or the connection asks for."""
    with mock.patch.object(backoff, "pause"):
        yield
