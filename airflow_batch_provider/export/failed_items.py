"""The items of a batch to submit again, because they have no results."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.apis.parameter import Choice
from airflow_batch_provider.apis.results import ItemOutcome, Results, Unrepeatable
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.export.manifest import Manifest
from airflow_batch_provider.export.verifying import PublishedExport, open_destination
from airflow_batch_provider.formats.registry import FORMATS

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

_OUTCOMES = Choice(tuple(outcome.value for outcome in ItemOutcome))
_NAMED = 5


def failed_items(
    destination: str | ObjectStoragePath,
    conn_id: str | None = None,
    *,
    outcomes: Sequence[str] = (ItemOutcome.FAILED, ItemOutcome.MISSING),
    results: Results | None = None,
) -> list[Any]:
    """Return the failed items of an export of results, ready to be submitted again. Each file is checked first.

    * LlamaCloud: the URIs of the files as they were submitted, for ``files``. This works for batches (v2) that a Run
      operator submitted from ``files``. For batch processing jobs (v1 beta), the vendor stores no such URI.
    * TalkifAI: the contacts as rows for ``contacts``, with the columns that were submitted. It returns only contacts
      that were not reached: ``failed``, ``no_answer``, ``busy``, ``timeout``, ``carrier_error``, ``pending`` and
      ``queued``. It leaves out those whose call took place (``completed``) or may have taken place (``dialing``, and
      undocumented states), and those that must not be called (``invalid_number``, ``blocked``, ``cancelled``). The
      list is personal data; do not push it to XCom.
    * Playment: the ``reference_id`` of each job. Use it to look up the data of the job. A new job needs a new
      ``reference_id``, because the vendor refuses the same one in a project.

    :param destination: the folder of the export: a URI, an absolute local path, or an ``ObjectStoragePath``
    :param conn_id: the id of the Airflow connection for a URI that contains none
    :param outcomes: the outcomes to return: any of ``failed``, ``missing``, ``partial``, ``skipped`` and ``ok``;
        default: ``failed`` and ``missing``
    :param results: the ``Results`` of another package
    :raises DestinationError: the destination cannot be opened
    :raises InvalidParameterError: it is not an export of results, or has items that cannot be submitted again
    :raises ExportDamagedError: the export is damaged; the message lists the faults
    :raises ExportReplacedError: another export replaced it in the meantime
    """
    wanted = _checked(outcomes)
    store = open_destination(destination, conn_id)
    export = PublishedExport(store)
    known = _declaration(export.manifest, results, store.uri)
    _check_finished(export.manifest, wanted, store.uri)
    export.check_sums()
    return _Repeated(known, store.uri).of(_wanted_rows(export, known, wanted))


class FailedItems:
    """The list of :func:`failed_items` as a parameter ``files`` or ``contacts`` of a Run operator.

    It is read when the task runs, so that contacts are not stored in an XCom. It takes the parameters of the function;
    ``destination`` and ``conn_id`` are templates.
    """

    template_fields = ("destination", "conn_id")

    def __init__(
        self,
        destination: str | ObjectStoragePath,
        conn_id: str | None = None,
        *,
        outcomes: Sequence[str] = (ItemOutcome.FAILED, ItemOutcome.MISSING),
    ) -> None:
        self.destination = destination
        self.conn_id = conn_id
        self.outcomes = tuple(map(str, outcomes))

    def __iter__(self) -> Iterator[Any]:
        return iter(failed_items(self.destination, self.conn_id, outcomes=self.outcomes))

    def __str__(self) -> str:
        return f"the {' and '.join(self.outcomes)} items of {self.destination}"


def _checked(outcomes: Sequence[str]) -> frozenset[str]:
    listed = [outcomes] if isinstance(outcomes, str) else list(outcomes)
    for outcome in listed:
        if _OUTCOMES.encode(outcome) is None:
            raise InvalidParameterError(f"outcomes={outcome!r} is not allowed; allowed is {_OUTCOMES.allowed}")
    return frozenset(map(str, listed))


def _declaration(manifest: Manifest, given: Results | None, uri: str) -> Results:
    from airflow_batch_provider.vendors import RESULTS

    known = given or RESULTS.get(manifest.listing)
    if known is None or known.name != manifest.listing:
        raise InvalidParameterError(
            f"The export at {uri} is of {manifest.listing}, but failed_items needs an export of results; if these are "
            "of another package, pass their declaration as results."
        )
    if known.again is None:
        raise InvalidParameterError(
            f"Items of {manifest.listing} cannot be submitted again: its declaration has no function again."
        )
    return known


def _check_finished(manifest: Manifest, wanted: frozenset[str], uri: str) -> None:
    if ItemOutcome.MISSING in wanted and manifest.drift and manifest.params.get("unfinished") == "export":
        raise InvalidParameterError(
            f"The export at {uri} was made before the batch was finished, so missing items may still be processed; "
            "export it again when it is finished, or pass outcomes=('failed',)."
        )


def _wanted_rows(export: PublishedExport, known: Results, wanted: frozenset[str]) -> Iterator[Mapping[str, Any]]:
    from airflow_batch_provider.formats.objects import object_of

    has_columns = FORMATS[export.manifest.format].has_columns
    for row in export.rows():
        if row.get("outcome") in wanted:
            yield object_of(row, known.columns) if has_columns else row


class _Repeated:
    """Asks a declaration what to submit again.

    :param results: the declaration
    :param uri: the URI of the export, for errors
    """

    def __init__(self, results: Results, uri: str) -> None:
        self._results = results
        self._uri = uri
        self._again: list[Any] = []
        self._left_out = 0
        self._reasons: dict[str, list[str]] = {}

    def of(self, rows: Iterator[Mapping[str, Any]]) -> list[Any]:
        """Return what to submit again of rows.

        :raises InvalidParameterError: some cannot be submitted again
        """
        for row in rows:
            self._add(row)
        if self._reasons:
            said = "; ".join(f"{reason}: {_names(ids)}" for reason, ids in self._reasons.items())
            raise InvalidParameterError(
                f"Of the export at {self._uri}, {sum(map(len, self._reasons.values()))} items cannot be submitted "
                f"again ({said})."
            )
        if self._left_out:
            log.info("Items of %s that are not to be submitted again: %d", self._uri, self._left_out)
        return self._again

    def _add(self, row: Mapping[str, Any]) -> None:
        assert self._results.again
        again = self._results.again(row)
        if isinstance(again, Unrepeatable):
            self._reasons.setdefault(again.reason, []).append(str(row.get("id")))
        elif again is None:
            self._left_out += 1
        else:
            self._again.append(again)


def _names(ids: Sequence[str]) -> str:
    said = ", ".join(ids[:_NAMED])
    return said if len(ids) <= _NAMED else f"{said} and {len(ids) - _NAMED} more"
