"""Checks of what a vendor declares: endpoints, parameters, columns, results, submissions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_batch_provider.apis.columns import JSON, TEXT, Column, ListOf, Struct, result_columns
from airflow_batch_provider.apis.declaration import DeclarationError, check_unique
from airflow_batch_provider.apis.endpoint import Endpoint, Listing
from airflow_batch_provider.apis.problem import ProblemKind
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.submissions import Submission
from airflow_batch_provider.formats.fields import EXTRA
from airflow_batch_provider.testing.declared import Declared, NotCheckedError, fail

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_CONNECTION_EXTRAS = ("region", "auth_header")
"""The extras that choose among what the vendor declares."""


def names_are_unique_and_stable(declared: Declared) -> None:
    """Manifests, logs and triggers carry the names of endpoints, results and kinds."""
    exported: list[Any] = [*declared.endpoints, *declared.results]
    groups: Sequence[Sequence[Any]] = (exported, declared.kinds, declared.submissions)
    for group in groups:
        for name, count in Counter(each.name for each in group).items():
            if count > 1:
                fail(f"The name {name!r} is declared {count} times; manifests could not tell them apart.")
    for endpoint in exported:
        if not _NAME.fullmatch(endpoint.name):
            fail(f"The name {endpoint.name!r} is stored in manifests; write it like 'vendor.things', in lower case.")


def extras_are_used(declared: Declared) -> None:
    """An extra of a connection fills a parameter of the same name, or chooses host or authentication."""
    vendor = declared.vendor
    if not declared.is_whole:
        raise NotCheckedError(f"vendor {vendor.name} is of another package")
    takers: list[Any] = [*declared.endpoints, *declared.results, *declared.submissions]
    parameters = {parameter.name: parameter for taker in takers for parameter in taker.parameters}
    for name, extra in vendor.extras.items():
        if name not in parameters and name not in {*_CONNECTION_EXTRAS, *vendor.auths_of.values()}:
            fail(f"Extra {name!r} fills no parameter; parameters are {', '.join(sorted(parameters))}.")
        for choice in extra.choices if name in parameters else ():
            if parameters[name].encode(choice) is None:
                fail(f"Extra {name!r} offers {choice!r}; allowed is {parameters[name].allowed}.")
    unknown = set(vendor.auths_of) - {endpoint.name for endpoint in declared.endpoints}
    if unknown:
        fail(f"auths_of names {', '.join(sorted(unknown))}, which is no endpoint.")


def requests_have_every_value(declared: Declared, endpoint: Endpoint) -> None:
    """A request can be made of what is required, and contains each value in its place."""
    try:
        endpoint.request(declared.values_for(endpoint))
    except KeyError as error:
        fail(f"{endpoint.name}: {error} is part of the path, so it must be required, or have a default.")
    try:
        request = endpoint.request(declared.values_for(endpoint, all_of_them=True))
    except TypeError:
        fail(f"{endpoint.name}: one parameter lies within another in the body; correct their wire.")
    for parameter in endpoint.parameters:
        if parameter.in_body:
            place: Any = request.json
            for key in str(parameter.wire).split("."):
                place = place.get(key) if isinstance(place, dict) else None
            if place is None:
                fail(
                    f"{endpoint.name}: {parameter.name} is lost, because another parameter takes its place in the body."
                )
    if request.method == "GET" and request.json is not None:
        fail(f"{endpoint.name}: a GET request has no body; leave out in_body, or set the method.")


def columns_fit_the_rows(declared: Declared, listing: Listing) -> None:
    """CSV and Parquet have a column for the id, and no column twice."""
    if not listing.columns:
        if any(listing is vars(task).get("listing") for task in declared.tasks):
            fail(f"{listing.name} is exported, so declare its columns: CSV and Parquet have one for each.")
        return
    names = [column.name for column in listing.columns]
    for body in listing.bodies:
        if (first := body.id.partition(".")[0]) not in names:
            fail(f"{listing.name}: rows have their id at {body.id!r}, but there is no column {first!r}.")
    _check_columns(listing.name, listing.columns)


def _check_columns(owner: str, columns: Iterable[Column]) -> None:
    columns = tuple(columns)
    try:
        check_unique(owner, "column", [column.name for column in columns])
    except DeclarationError as error:
        fail(str(error))
    for column in columns:
        if column.name == EXTRA:
            fail(f"{owner}: the column {EXTRA} is ours; it contains the fields that no other column has.")
        inner = column.type
        while isinstance(inner, ListOf):
            inner = inner.element
        if isinstance(inner, Struct):
            _check_columns(f"{owner}, column {column.name}", inner.fields)


def results_can_be_read(declared: Declared, results: Results) -> None:
    """Results name the batch that they are of, and their columns are those of a results export."""
    if not any(parameter.name == results.batch and parameter.required for parameter in results.parameters):
        fail(f"{results.name}: {results.batch} names the batch, so it must be required.")
    expected = [column.name for column in result_columns((Column("id", TEXT),), JSON)]
    if [column.name for column in results.columns] != expected:
        fail(f"{results.name}: declare its columns by result_columns(...); they are {', '.join(expected)}.")
    _check_columns(results.name, results.columns)


def submissions_fit_their_kind(declared: Declared, submission: Submission) -> None:
    """What waits for the submitted batch gets its parameters from the task that submits it."""
    own = {parameter.name for parameter in submission.parameters}
    kind = submission.kind
    reader = kind.single or kind.listing
    needed = {parameter.name for parameter in reader.parameters if parameter.required} - {kind.id_parameter}
    if missing := sorted(needed - own):
        fail(f"{submission.name}: to wait for {kind.name} needs {', '.join(missing)}; add it to the parameters.")
    if submission.most_items < 1:
        fail(f"{submission.name}: most_items is {submission.most_items}; nothing could be submitted.")
    creating = [endpoint for endpoint in declared.endpoints if not endpoint.is_repeatable]
    if not creating:
        fail(f"{submission.name}: no endpoint has is_repeatable=False, so that a lost answer would submit it twice.")


_USUAL: dict[int, ProblemKind] = {
    401: ProblemKind.AUTHENTICATION,
    402: ProblemKind.PAYMENT,
    403: ProblemKind.AUTHENTICATION,
    404: ProblemKind.NOT_FOUND,
    422: ProblemKind.REFUSED,
    429: ProblemKind.RATE_LIMITED,
    500: ProblemKind.TRANSIENT,
    503: ProblemKind.TRANSIENT,
}
_BODIES = (
    *(b"", b"no", b"{}", b"[]", b"null", b'{"message":"no"}', b'{"error":"no"}', b'{"error":null}', b'{"error":[1]}'),
    *(b'{"error":{"message":7}}', b'{"error":{"code":{}}}', b'{"detail":[{"loc":["a"],"msg":"no"}]}', b'{"errors":[]}'),
)


def error_responses_of_gateways_are_classified(declared: Declared) -> None:
    """A proxy in front of the vendor answers in words of its own: then the HTTP status counts."""
    for status, kind in _USUAL.items():
        for body in _BODIES:
            try:
                problem = declared.vendor.error_response(status, body)
            except Exception as error:  # noqa: BLE001 - of the vendor's own function
                fail(
                    f"read_error raises {error!r} on the body {body.decode()}; it may raise LookupError and TypeError."
                )
            if problem.kind is not kind:
                fail(f"HTTP {status} with the body {body.decode()} is read as {problem.kind}, not as {kind}.")
