"""What a vendor's modules declare, collected for the checks of its contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn, TypeVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_batch_provider.apis import parameter as domains
from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.endpoint import Endpoint, Listing
from airflow_batch_provider.apis.page import Page, Rows
from airflow_batch_provider.apis.parameter import Parameter
from airflow_batch_provider.apis.raw_json import read_json
from airflow_batch_provider.apis.request import Answer
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.submissions import Submission
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.hooks.base import BatchApiHook

T = TypeVar("T")


class NotCheckedError(Exception):
    """A check needs something that the contract was not given; the message says what."""


def fail(sentence: str) -> NoReturn:
    """Fail a check."""
    raise AssertionError(sentence)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A vendor, all that its modules declare, and the samples; the parameters are those of ``vendor_contract``."""

    vendor: Vendor
    is_whole: bool = True
    """Whether the modules have the vendor's hook: if not, they extend a vendor of another package."""
    endpoints: Sequence[Endpoint] = ()
    kinds: Sequence[BatchKind] = ()
    results: Sequence[Results] = ()
    submissions: Sequence[Submission] = ()
    hooks: Sequence[type[BatchApiHook]] = ()
    tasks: Sequence[type[BaseOperator]] = ()
    answers: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    errors: Sequence[tuple[int, bytes, type[Exception]]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    provider_info: Callable[[], dict[str, Any]] | None = None
    serve: Callable[[], AbstractContextManager[Mapping[str, Any]]] | None = None
    runs: Sequence[Callable[[], Any]] = ()
    exports: Sequence[Callable[[str], Any]] = ()

    @property
    def listings(self) -> list[Listing]:
        """The endpoints that list."""
        return [endpoint for endpoint in self.endpoints if isinstance(endpoint, Listing)]

    def value_of(self, parameter: Parameter) -> Any:
        """Return a value that a parameter takes."""
        if parameter.name in self.values:
            value = self.values[parameter.name]
        elif isinstance(parameter.domain, domains.Choice):
            value = parameter.domain.words[0]
        elif isinstance(parameter.domain, domains.Integer):
            value = parameter.domain.minimum
        else:
            value = _VALUES.get(type(parameter.domain))
        if parameter.encode(value) is None:
            fail(f"Parameter {parameter.name}: {value!r} is not allowed; name one that is: values={{...}}.")
        return value

    def values_for(self, endpoint: Endpoint | Results, *, all_of_them: bool = False) -> dict[str, Any]:
        """Return values for the parameters that an endpoint needs, or for all that it has."""
        wanted = [parameter for parameter in endpoint.parameters if all_of_them or parameter.required]
        return {parameter.name: self.value_of(parameter) for parameter in wanted}

    def rows_of(self, listing: Listing) -> list[Rows]:
        """Return the rows of each sample answer of a listing."""
        pages = [listing.page(Answer(200, {}, body)) for body in self.answers.get(listing.name, ())]
        return [page.rows for page in pages if isinstance(page, Page)]

    def batch(self, kind: BatchKind, *status: object) -> dict[str, Any]:
        """Return a batch as the listing shows it: the first of the samples, or one of just an id and a status.

        :param kind: the kind of batch
        :param status: the status word that it has then, if it is to have another
        """
        lines = [line for rows in self.rows_of(kind.listing) for line in rows.lines]
        document: dict[str, Any] = read_json(bytes(lines[0]).decode()) if lines else {}
        body = kind.listing.bodies[0]
        if not lines:
            put(document, body.id, "a")
        if status:
            put(document, body.status, status[0])
        return document


_VALUES: Mapping[type, Any] = {
    domains.Identifier: "a b/1",
    domains.Timestamp: "2026-01-31T00:00:00Z",
    domains.Boolean: True,
    domains.Text: "text",
    domains.JsonObject: {"a": 1},
    domains.JsonArray: ["a"],
    domains.Duration: 1,
}


def put(document: Any, path: str, value: Any) -> None:
    """Put a value at a dotted path; a number in it is a place, if a list lies there."""
    name, _, rest = path.partition(".")
    key: Any = name
    if isinstance(document, list):
        key = int(name)
        document.extend({} for _ in range(len(document), key + 1))
    if not rest:
        document[key] = value
        return
    inner = document[key] if isinstance(document, list) else document.get(key)
    is_list = isinstance(inner, list) and rest.partition(".")[0].isdecimal()
    if not is_list and not isinstance(inner, dict):
        inner = document[key] = {}
    put(inner, rest, value)


def collect(vendor: Vendor, modules: Iterable[ModuleType]) -> dict[str, Any]:
    """Return what modules declare of a vendor, and what that refers to, as fields of :class:`Declared`."""
    modules = list(modules)
    everything = list(_reached(vendor, modules))
    return {
        "is_whole": not vendor.hook or vendor.hook.rpartition(".")[0] in {module.__name__ for module in modules},
        "endpoints": _distinct(x for x in everything if isinstance(x, Endpoint) and x.vendor.name == vendor.name),
        "kinds": _distinct(x for x in everything if isinstance(x, BatchKind)),
        "results": _distinct(x for x in everything if isinstance(x, Results)),
        "submissions": _distinct(x for x in everything if isinstance(x, Submission)),
        "hooks": _distinct(x for x in everything if isinstance(x, type) and issubclass(x, BatchApiHook)),
        "tasks": _distinct(x for x in everything if isinstance(x, type) and issubclass(x, BaseOperator)),
    }


def _reached(vendor: Vendor, modules: Iterable[ModuleType]) -> Iterator[Any]:
    """Yield what is declared at the top of modules, and what that names."""
    for module in modules:
        for name, value in vars(module).items():
            if not isinstance(value, type):
                yield from _with_parts(value)
            elif value.__module__ == module.__name__ and not name.startswith("_"):
                yield value
                for part in ("probe", "listing", "kind", "results", "submission"):
                    yield from _with_parts(getattr(value, part, None))
    if vendor.hook:
        yield hook_of(vendor)


def _with_parts(value: Any) -> Iterator[Any]:
    yield value
    parts: Iterable[Any] = ()
    match value:
        case BatchKind():
            parts = (value.listing, value.single, value.cancel)
        case Results():
            parts = (value.items,)
        case Submission():
            parts = (value.kind,)
    for part in parts:
        yield from _with_parts(part)


def _distinct(found: Iterable[T]) -> list[T]:
    return list({id(each): each for each in found}.values())


def hook_of(vendor: Vendor) -> Any:
    """Return the class that a vendor names as its hook.

    :raises AssertionError: there is none
    """
    module, _, name = vendor.hook.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        fail(f"Vendor {vendor.name}: hook={vendor.hook!r} cannot be imported: {error!r}.")
