"""Finds finished batches that have not been exported yet, no matter who started them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.literals import Several, Values, violation_of
from airflow_batch_provider.apis.parameter import Choice, Identifier, Integer
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.hooks.base import BatchApiHook
from airflow_batch_provider.hooks.checked_task import CheckedTask, domains_of
from airflow_batch_provider.hooks.template_fields import check_template_fields
from airflow_batch_provider.stores.role import EXPORTS

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath

log = logging.getLogger(__name__)

FINISHED_OUTCOMES = Several(Choice(("succeeded", "failed", "cancelled")), least=1)
LIMIT = Integer(1)
MOST_BATCHES = 1000
"""Airflow maps a task over at most 1,024 values, unless ``[core] max_map_length`` says otherwise."""

_FIRST = datetime.min.replace(tzinfo=UTC)


def finished_batches(
    hook: BatchApiHook,
    kind: BatchKind,
    exports: str | ObjectStoragePath,
    *,
    exports_conn_id: str | None = None,
    finished_outcomes: Sequence[str] = ("succeeded",),
    limit: int = MOST_BATCHES,
    **filters: Any,
) -> list[dict[str, str]]:
    """Return the finished batches whose export in a folder is missing, or is of another state of the batch.

    Use it in a TaskFlow function; in a DAG, use an operator.

    :param hook: the hook of the connection
    :param kind: the kind of batch, such as ``airflow_batch_provider.vendors.llamacloud.BATCH_KIND``
    :param exports: the folder that contains a folder for each batch's export
    :param exports_conn_id: the id of the Airflow connection for a URI that contains none
    :param finished_outcomes: the outcomes to return: any of ``succeeded``, ``failed`` and ``cancelled``
    :param limit: the largest number of batches to return, oldest first
    :param filters: parameters of the listing
    :return: for each batch its id, under the name of the export operator's parameter, and its ``destination``
    :raises InvalidParameterError: a value is not allowed
    :raises TypeError: the listing has no such parameter
    """
    # These import the HTTP library and fsspec, which parsing a DAG must not cost.
    from airflow_batch_provider.export.exports_below import ExportsBelow
    from airflow_batch_provider.export.folder_names import folder_name
    from airflow_batch_provider.stores.destination import open_store
    from airflow_batch_provider.waiting.reader import StateReader

    for parameter, value, domain in (
        ("finished_outcomes", finished_outcomes, FINISHED_OUTCOMES),
        ("limit", limit, LIMIT),
    ):
        if violation := violation_of(parameter, value, domain):
            raise InvalidParameterError(f"{violation}.")
    if unknown := filters.keys() - {parameter.name for parameter in kind.listing.parameters}:
        raise TypeError(f"{kind.listing.name} has no parameter {', '.join(sorted(unknown))}")
    values = hook.fill(kind.listing, filters)
    store = open_store(exports, exports_conn_id or None, EXPORTS)
    reader = StateReader(hook.connect(), kind, kind.listing.given(values), is_patient=True)
    listed = 0
    finished = []
    for batch in reader.iter_listed():
        listed += 1
        state = batch.state
        is_finished = state.outcome in finished_outcomes and state.endless is None
        if is_finished and Identifier().encode(state.id) is not None:
            finished.append((batch.created or _FIRST, state.id, kind.version_of(state)))
    finished.sort(key=lambda batch: batch[0])
    name = kind.id_parameter or "batch_id"
    states = [(batch_id, version) for _, batch_id, version in finished]
    found, more = ExportsBelow(store, name).missing(states, int(limit))
    log.info("%d of %d batches are finished; %d are to be exported now", len(finished), listed, len(found))
    if more:
        log.warning("%d more finished batches wait for the next run; limit is %s", more, limit)
    return [{name: batch_id, "destination": f"{store.uri}/{folder_name(batch_id)}"} for batch_id in found]


class FinishedBatchesOperator(CheckedTask):
    """Finds finished batches whose export is missing, or of another state, no matter who started them.

    It returns their ids and destinations, for ``.expand_kwargs()`` of an operator that exports one batch with
    ``if_exists="refresh"``. The manifest of each export has the state of its batch. So a batch is found when it has
    finished, found again if it is reopened and changes, and found again if its export failed. The folder ``_index``
    beside the exports is a cache, and can be removed at any time.

    Subclasses set the kind of batch, the hook and the listing's filters.

    :param exports: the folder that contains a folder for each batch's export, named by its id: a URI, an absolute path,
        or an ``ObjectStoragePath``
    :param exports_conn_id: the id of the Airflow connection for a URI that contains none
    :param finished_outcomes: the outcomes to return, as a list or comma-separated: any of ``succeeded`` (default),
        ``failed`` and ``cancelled``
    :param limit: the largest number of batches to return, oldest first; default: 1,000. Airflow maps over at most
        ``[core] max_map_length``.
    :raises InvalidParameterError: a value is not allowed; the message has the allowed ones
    """

    kind: ClassVar[BatchKind]
    hook_class: ClassVar[type[BatchApiHook]]
    filters: ClassVar[Sequence[str]]
    """The parameters that the listing takes."""
    template_fields: Sequence[str] = ("exports", "exports_conn_id", "finished_outcomes", "limit")

    places = (EXPORTS,)

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        listing = cls.kind.listing
        return {
            **domains_of(listing.parameters, cls.filters, listing.vendor),
            "finished_outcomes": FINISHED_OUTCOMES,
            "limit": LIMIT,
        }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.__name__.startswith("_"):
            check_template_fields(cls, [*cls.filters, cls.hook_class.conn_name_attr])

    def __init__(
        self,
        *,
        exports: str | ObjectStoragePath,
        exports_conn_id: str | None = None,
        finished_outcomes: str | Sequence[str] = ("succeeded",),
        limit: int | str = MOST_BATCHES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.exports = exports
        self.exports_conn_id = exports_conn_id
        self.finished_outcomes = finished_outcomes
        self.limit = limit

    def execute(self, context: Context) -> list[dict[str, str]]:
        """Return the batches that are to be exported."""
        self.check_parameters()
        return finished_batches(
            self.hook_class(getattr(self, self.hook_class.conn_name_attr)),
            self.kind,
            self.exports,
            exports_conn_id=self.exports_conn_id,
            finished_outcomes=str(self.encoded("finished_outcomes")).split(","),
            limit=int(self.limit),
            **self._values(),
        )

    def _values(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in self.filters}
