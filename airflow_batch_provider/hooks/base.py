"""What the hooks of all vendors share: the connection, checks and listings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from airflow.providers.common.compat.sdk import BaseHook

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.endpoint import Endpoint, Listing, Resource
from airflow_batch_provider.apis.parameter import Violation, first_missing, first_violation
from airflow_batch_provider.apis.plans import Plan
from airflow_batch_provider.apis.request import Part, Request
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.shown import Redactor
from airflow_batch_provider.apis.submissions import Submission
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.exceptions import (
    BatchProviderError,
    ConnectionNotFoundError,
    InvalidParameterError,
    TransientError,
)
from airflow_batch_provider.hooks.connection import check_connection, lookup_error, read_extras, read_settings

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_batch_provider.client.client import Client
    from airflow_batch_provider.listing.pages import NewRows


T = TypeVar("T")

Documents = Iterator[dict[str, Any]]
"""The vendor's own objects, one by one, unchanged."""

PAGE_SIZE = "page_size"
"""The parameter that takes the rows per page, where a listing has it."""


class BatchApiHook(BaseHook):
    """A vendor's API with an Airflow connection, which is read when it is first needed.

    Subclasses name the vendor and the listing that tests a connection, and offer the vendor's endpoints as
    methods. What they do not name themselves is named after the vendor: the type of its connections ``<name>``, the
    parameter ``<name>_conn_id`` of hook and operators, and the connection that it defaults to, ``<name>_default``.
    """

    vendor: ClassVar[Vendor]
    probe: ClassVar[Listing]
    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vendor := vars(cls).get("vendor"):
            cls._name_after(vendor)

    @classmethod
    def _name_after(cls, vendor: Vendor) -> None:
        names = {
            "conn_type": vendor.name,
            "hook_name": vendor.title,
            "conn_name_attr": f"{vendor.name}_conn_id",
            "default_conn_name": f"{vendor.name}_default",
        }
        for name, value in names.items():
            if name not in vars(cls):
                setattr(cls, name, value)

    def __init__(self, connection_id: str | None = None, **named: str) -> None:
        super().__init__()
        if named.keys() - {self.conn_name_attr}:
            raise TypeError(f"{type(self).__name__} takes {self.conn_name_attr} alone, not {', '.join(named)}")
        self._connection_id = connection_id or named.get(self.conn_name_attr) or self.default_conn_name

    @classmethod
    def from_key(cls, api_key: str, *, host: str | None = None, **extras: object) -> Self:
        """Return a hook for an API key. It needs no Airflow connection and no metadata database.

        :param api_key: the API key
        :param host: the base URL, if it is not the vendor's own
        :param extras: extras of a connection, such as ``region="eu"`` or ``requests_per_minute=60``
        :raises ConnectionSettingsError: an extra is unknown, or not of its type
        """
        from airflow.sdk import Connection

        # Errors name the connection: this id shows the reader where these settings come from.
        connection_id = f"{cls.__name__}.from_key()"
        hook = cls(connection_id)
        hook.use_connection(Connection(conn_id=connection_id, host=host, password=api_key), extras)
        return hook

    @cached_property
    def _connection(self) -> Connection:
        try:
            connection: Connection = self.get_connection(self._connection_id)
        except BatchProviderError:  # of a hook that overrides get_connection
            raise
        except Exception as error:
            raise lookup_error(self.vendor, self._connection_id, error) from error
        self._check(connection)
        return connection

    def _check(self, connection: Connection) -> None:
        check_connection(self.vendor, connection, getattr(self, "conn_type", self.vendor.name))

    @cached_property
    def _extras(self) -> dict[str, Any]:
        return read_extras(self.vendor, self._connection_id, self._connection.extra_dejson)

    def use_connection(self, connection: Connection, saved_extras: Mapping[str, Any]) -> None:
        """Use a connection that was read already, such as in an event loop without blocking.

        :param connection: the Airflow connection
        :param saved_extras: its extras as they are stored
        :raises ConnectionSettingsError: it is another vendor's, or has an unknown extra or one of the wrong type
        """
        self._check(connection)
        self._connection = connection
        self._extras = read_extras(self.vendor, self._connection_id, saved_extras)

    @cached_property
    def _client(self) -> Client:
        # The HTTP library is imported here, not where DAGs are parsed.
        from airflow_batch_provider.client.client import Client

        return Client(self.vendor, read_settings(self.vendor, self._connection, self._extras))

    def get_conn(self) -> Client:
        """Return the client of the connection. Operators, sensors and the triggerer all use it."""
        return self._client

    def connect(self) -> Client:
        """Return the client, as :meth:`get_conn` makes it.

        :raises TransientError: an overridden ``get_conn`` raised another error, such as for a token server that is down
        """
        try:
            return self.get_conn()
        except BatchProviderError:
            raise
        except Exception as error:  # noqa: BLE001 - of another package's code
            known: Connection | None = vars(self).get("_connection")
            reason = Redactor([(known and known.password) or ""]).show(repr(error))
        raise TransientError(
            f"Connection {self._connection_id!r} cannot be used now: {reason}", vendor=self.vendor.name
        )

    def fill(
        self, endpoint: Endpoint | Results | Submission, values: Mapping[str, Any], *, may_lack: bool = False
    ) -> dict[str, Any]:
        """Check values, and add missing ones from the connection's extras.

        :param endpoint: the endpoint
        :param values: its parameters by our names; None counts as missing
        :param may_lack: whether a required value may be missing
        :raises InvalidParameterError: a value is not allowed, or one is missing
        """
        self._object_to(endpoint, first_violation(endpoint.parameters, values))
        filled = {name: value for name, value in values.items() if value is not None}
        for parameter in endpoint.parameters:
            if parameter.name not in filled and parameter.name in self._extras:
                filled[parameter.name] = self._extras[parameter.name]
        self._object_to(endpoint, first_violation(endpoint.parameters, filled))
        if not may_lack and (missing := first_missing(endpoint.parameters, filled)):
            self._object_to_missing(endpoint, missing)
        return filled

    def request_for(self, endpoint: Endpoint, values: Mapping[str, Any]) -> Request:
        """Return the request for values after :meth:`fill`."""
        return endpoint.request(self.fill(endpoint, values))

    def listing_scope(self, kind: BatchKind, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the scope of a listing of batches (such as the project), with missing values from the connection.

        :param kind: the kind of batch
        :param values: the task's values by the names of ``kind.scope``
        """
        filled = self.fill(kind.listing, values, may_lack=kind.single is not None)
        return {name: value for name, value in kind.listing.given(filled).items() if name in kind.scope}

    def _object_to(self, endpoint: Endpoint | Results | Submission, violation: Violation | None) -> None:
        if violation:
            raise InvalidParameterError(f"{endpoint.name}: {violation}.", vendor=self.vendor.name)

    def _object_to_missing(self, endpoint: Endpoint | Results | Submission, missing: Violation) -> None:
        if extra := self.vendor.extras.get(missing.parameter):
            raise InvalidParameterError(
                f"{endpoint.name}: {missing.parameter} is missing. Give it to the task, or set {extra.label} in "
                f"connection {self._connection_id!r}.",
                vendor=self.vendor.name,
            )
        self._object_to(endpoint, missing)

    def read_pages(self, listing: Listing, request: Request, **options: Any) -> Iterator[NewRows]:
        """Read a listing page by page, with the options of :func:`airflow_batch_provider.listing.pages.read_pages`."""
        from airflow_batch_provider.listing.pages import read_pages

        return read_pages(self.connect(), listing, request, **options)

    def iter_listing(self, listing: Listing, **values: Any) -> Documents:
        """Return an iterator of the vendor's objects; values are checked now, pages are read when they are needed.

        :param listing: the listing
        :param values: its parameters
        """
        from airflow_batch_provider.listing.pages import documents

        pages = self.read_pages(listing, self.request_for(listing, values))
        return (document for page in pages for document in documents(page.rows))

    def iter_results(self, results: Results, *, takes_unfinished: bool = False, **values: Any) -> Documents:
        """Yield the results of a batch, a row for each item, without files.

        :param results: the results
        :param takes_unfinished: whether to read a batch that is not finished
        :param values: its parameters
        """
        from airflow_batch_provider.listing.file_sink import NoFiles
        from airflow_batch_provider.listing.pages import documents
        from airflow_batch_provider.listing.results import ResultsReader, ResultsRequest

        request = ResultsRequest(results=results, values=self.fill(results, values), takes_unfinished=takes_unfinished)
        pages = ResultsReader(self.connect(), request).rows(NoFiles())
        return (document for page in pages for document in documents(page.rows))

    def run_plan(self, plan: Plan[T], values: Mapping[str, Any]) -> T:
        """Run a vendor's plan that stores no files.

        :param plan: the plan
        :param values: the parameters that its requests share
        """
        from airflow_batch_provider.listing.file_sink import NoFiles
        from airflow_batch_provider.listing.plans import PlanRunner

        runner = PlanRunner(self.connect(), values, NoFiles())
        try:
            return runner.run(plan)
        finally:
            runner.close()

    def get_resource(self, resource: Resource, **values: Any) -> dict[str, Any]:
        """Return one object of the vendor, unchanged.

        :param resource: the resource
        :param values: its parameters
        """
        return self.connect().send(self.request_for(resource, values), resource.read)

    def act(self, resource: Resource, parts: tuple[Part, ...] = (), **values: Any) -> dict[str, Any]:
        """Send a request that creates or changes something, and return the vendor's answer.

        A request that creates something is sent once: if its answer is lost, it is not sent again.

        :param resource: the resource
        :param parts: the parts of a multipart body
        :param values: its parameters
        :raises AmbiguousRequestError: the answer was lost, so the request may or may not have taken effect
        """
        request = resource.request(self.fill(resource, values), parts=parts)
        return self.connect().send(request, resource.read)

    def test_connection(self) -> tuple[bool, str]:
        """Send one small request, as a test of the connection, and return whether it worked and a message."""
        smallest = {parameter.name: 1 for parameter in self.probe.parameters if parameter.name == PAGE_SIZE}
        try:
            filled = self.fill(self.probe, smallest, may_lack=True)
            missing = first_missing(self.probe.parameters, filled)
            if missing and (extra := self.vendor.extras.get(missing.parameter)):
                return False, f"Set {extra.label} here to test this connection."
            next(self.read_pages(self.probe, self.request_for(self.probe, filled)), None)
        except ConnectionNotFoundError as error:
            return False, str(error)
        except BatchProviderError as error:
            return False, self._of_this_connection(str(error))
        return True, f"{self.vendor.title} answered and accepted the API key."

    def _of_this_connection(self, message: str) -> str:
        """Return a message without the connection's id: Airflow's UI tests a copy, whose id nobody has seen."""
        named = f"onnection {self._connection_id!r}"
        return message.replace(f"C{named}", "This connection").replace(f"c{named}", "this connection")
