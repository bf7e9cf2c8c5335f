"""What a batch produced, declared by its vendor: for each item, what to ask for and what the answers mean.

Nothing here sends a request. A vendor writes *plans*: generators that yield steps, and are sent what came of each.
``listing/plans.py`` runs them: it sends the requests and stores the files, many items at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from airflow_batch_provider.apis.batch_state import BatchState
from airflow_batch_provider.apis.columns import Column
from airflow_batch_provider.apis.declaration import DeclarationError, check_known, check_path, check_unique
from airflow_batch_provider.apis.endpoint import Listing, look_up
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.parameter import Parameter, given
from airflow_batch_provider.apis.plans import FileKind, Plan, Refused, SavedFile
from airflow_batch_provider.apis.problem import Problem
from airflow_batch_provider.apis.raw_json import raw_at, read_json
from airflow_batch_provider.apis.vendor import Vendor


class ItemOutcome(StrEnum):
    """What became of an item of a batch.

    ``OK``: everything is there. ``PARTIAL``: pages failed, or a file that was asked for is not there. ``FAILED``: the
    vendor says so. ``MISSING``: it should be there and is not. ``SKIPPED``: the vendor skipped it.
    """

    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    MISSING = "missing"
    SKIPPED = "skipped"


FAILURES = (ItemOutcome.PARTIAL, ItemOutcome.FAILED, ItemOutcome.MISSING)
"""The outcomes that ``fail_on_item_failures`` counts."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch whose results are read.

    :param state: its state when reading begins
    :param expected: how many items it counts, None if it does not count them
    :param items_at: values that the listing of its items needs beside those of the task, such as the id of a file that
        the batch names
    :param facts: what the plans of its items need to know
    :param kinds: the names of the kinds of files that are wanted; filled in by who runs the plans
    :param values: the parameters of the task; filled in likewise
    """

    state: BatchState
    expected: int | None = None
    items_at: Mapping[str, Any] = {}
    facts: Any = None
    kinds: frozenset[str] = frozenset()
    values: Mapping[str, Any] = {}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an item.

    :param outcome: in our words
    :param error: why it is not ``ok``, in a sentence
    :param status: the vendor's status word, if it is not that of the row
    :param row: the row of the batch's own list as JSON, if the plan adds something to it
    :param result: the vendor's result object as JSON
    :param files: its files
    """

    outcome: ItemOutcome
    error: str | None = None
    status: str | None = None
    row: bytes | None = None
    result: bytes | None = None
    files: tuple[SavedFile, ...] = ()


class ItemFields(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what became of an item from an object's fields, each named by its dotted path.

    Several paths may be named: the first counts at which there is something.

    :param status: the status word
    :param outcomes: what the documented words mean; any other is a failure
    :param error: why an item is not ``ok``
    :param result: the result object; ``""`` is the whole object
    """

    status: str | tuple[str, ...]
    outcomes: Mapping[str, ItemOutcome]
    error: str | tuple[str, ...]
    result: str = ""

    def __post_init__(self) -> None:
        for path in (*_paths(self.status), *_paths(self.error), *filter(None, [self.result])):
            check_path("ItemFields", path)
        if not self.outcomes:
            raise DeclarationError("ItemFields: outcomes is empty; declare what the status words mean")

    def __call__(self, document: bytes, **facts: Any) -> Item:
        """Read the vendor's object.

        :param document: the object as JSON
        :param facts: other fields of the item
        """
        values = read_json(document)
        status = str(_first(values, self.status))
        outcome = self.outcomes.get(status, ItemOutcome.FAILED)
        result = raw_at(document, self.result)
        error = None
        if outcome is not ItemOutcome.OK:
            said = _first(values, self.error)
            error = status if said is None else f"{status}: {said}"
        return Item(outcome=outcome, error=error, status=status, result=result, **facts)


def _paths(paths: str | tuple[str, ...]) -> tuple[str, ...]:
    return (paths,) if isinstance(paths, str) else paths


def _first(document: Any, paths: str | tuple[str, ...]) -> Any:
    """Return the first value that is there, None if there is none."""
    return next((value for path in _paths(paths) if (value := look_up(document, path)) is not None), None)


class Unrepeatable(msgspec.Struct, frozen=True):
    """What ``Results.again`` returns of an item that should be submitted again, and cannot be.

    :param reason: why, to follow the item's id
    """

    reason: str


def collected(
    files: Sequence[SavedFile | Refused], problems: Sequence[str] = (), *, kinds: Sequence[str] = (), **facts: Any
) -> Item:
    """Return an item whose result is there: ``ok``, or ``partial`` if something of it is not.

    :param files: what came of each file
    :param problems: what else is not as it should be
    :param facts: other fields of the item
    """
    said = [*problems, *(file.reason for file in files if isinstance(file, Refused))]
    return Item(
        outcome=ItemOutcome.PARTIAL if said else ItemOutcome.OK,
        error="; ".join(said) or None,
        files=tuple(file for file in files if isinstance(file, SavedFile)),
        **facts,
    )


def without_result(refused: Refused, *, is_partial: bool = False, **facts: Any) -> Item:
    """Return an item whose result could not be had: ``missing`` if it is not there, else ``failed``.

    :param is_partial: whether something of it is there, so that it is ``partial``
    :param facts: other fields of the item
    """
    outcome = ItemOutcome.MISSING if refused.is_missing else ItemOutcome.FAILED
    reason = f"{refused.reason}; {_WHY_MISSING}" if refused.is_missing else refused.reason
    return Item(outcome=ItemOutcome.PARTIAL if is_partial else outcome, error=reason, **facts)


_WHY_MISSING = "it has expired, was deleted, or belongs to another project"


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What the batches of a vendor produce, and how to get at it.

    :param vendor: whose batches they are
    :param name: its name in manifests and logs, ``vendor.things``
    :param batch: the name of the parameter with the batch's id
    :param parameters: what a task says
    :param items: lists the items of the batch
    :param kinds: the kinds of files, those that are fetched where a task does not say first
    :param usual: the names of these
    :param begin: reads the batch
    :param prepare: asks for what several items share, before their own plans; gets up to ``together`` rows
    :param together: how many items ``prepare`` gets
    :param item: asks for what belongs to one item; gets the batch, the item's row, and what ``prepare`` returned
    :param columns: the columns of a row
    :param again: returns what to submit again for a row of an export, :class:`Unrepeatable` if that cannot be known, or
        None if the item must not be submitted again; None if the vendor's items cannot be
    """

    vendor: Vendor
    name: str
    batch: str
    parameters: tuple[Parameter, ...]
    items: Listing
    kinds: tuple[FileKind, ...] = ()
    usual: tuple[str, ...] = ()
    begin: Callable[[Mapping[str, Any]], Plan[Batch | Problem]]
    prepare: Callable[[Batch, Sequence[Row]], Plan[Any]] | None = None
    together: int = 50
    item: Callable[[Batch, Row, Any], Plan[Item]]
    columns: tuple[Column, ...]
    again: Callable[[Mapping[str, Any]], Any] | None = None

    def __post_init__(self) -> None:
        check_unique(self.name, "parameter", [parameter.name for parameter in self.parameters])
        check_unique(self.name, "kind of file", [kind.name for kind in self.kinds])
        check_known(self.name, "usual kind of file", self.usual, [kind.name for kind in self.kinds])
        check_known(self.name, "parameter", [self.batch], [parameter.name for parameter in self.parameters])
        if not self.name.startswith(f"{self.vendor.name}."):
            raise DeclarationError(f"{self.name}: a name starts with the vendor's: '{self.vendor.name}.things'")

    def given(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that were given, as they are sent: texts, or lists of texts."""
        return given(self.parameters, values)
