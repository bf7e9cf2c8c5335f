"""For users' tests: the vendors' APIs in process, no pauses, and what a vendor of another package should pass.

.. code-block:: python

    def test_my_dag():
        with sandbox(), no_backoff():
            assert my_dag.test().state == "success"
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from airflow_batch_provider import backoff
from airflow_batch_provider.apis.vendor import Vendor
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


def vendor_contract(
    vendor: Vendor,
    *modules: ModuleType,
    answers: Mapping[str, Sequence[Any]] | None = None,
    errors: Sequence[tuple[int, Any, type[Exception]]] = (),
    values: Mapping[str, Any] | None = None,
    provider_info: Callable[[], dict[str, Any]] | None = None,
    serve: Callable[[], AbstractContextManager[Mapping[str, Any]]] | None = None,
    runs: Sequence[Callable[[], Any]] = (),
    exports: Sequence[Callable[[str], Any]] = (),
) -> type:
    """Return the tests that a vendor should pass, as a class for pytest, which must be installed.

    .. code-block:: python

        TestContract = vendor_contract(VENDOR, batches, operators, provider_info=get_provider_info)

    Everything that the modules declare is tested, and all hooks, operators and sensors in them. What a test needs and
    was not given, it names as the reason why it is skipped.

    :param vendor: the vendor
    :param modules: the modules with its declarations and classes
    :param answers: sample answers by the names of their endpoints, as the vendor documents them: JSON values, or bytes
    :param errors: samples of its error responses: HTTP status, body, and the exception that it must become
    :param values: values of parameters, if one takes only certain ones
    :param provider_info: the function with the package's metadata
    :param serve: returns a context manager that runs a new fake server of the vendor; its value is the connection:
        ``{"host": url, "password": key, "extra": {...}}``
    :param runs: functions that return a Run operator, whose batch ``serve`` takes
    :param exports: functions that get a folder and return an operator that exports something of ``serve`` to it
    """
    from airflow_batch_provider.testing.contract import contract_of  # with pytest and Airflow
    from airflow_batch_provider.testing.declared import Declared, collect

    declared = Declared(
        vendor=vendor,
        answers={name: [_body(sample) for sample in samples] for name, samples in (answers or {}).items()},
        errors=[(status, _body(body), error) for status, body, error in errors],
        values=values or {},
        provider_info=provider_info,
        serve=serve,
        runs=runs,
        exports=exports,
        **collect(vendor, modules),
    )
    return contract_of(declared)


def _body(sample: Any) -> bytes:
    return sample if isinstance(sample, bytes) else json.dumps(sample).encode()
