"""What the operators that export results of a batch share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_provider.apis.literals import OrNone, Several, Values
from airflow_batch_provider.apis.parameter import Boolean, Choice
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.apis.shard import Shards, read_shard
from airflow_batch_provider.operators.export import ExportOperator

if TYPE_CHECKING:
    from airflow_batch_provider.export.export import ResultsSource
    from airflow_batch_provider.hooks.base import BatchApiHook

SHARD = OrNone(Shards(), may_be_blank=True)


class ResultsExportOperator(ExportOperator):
    """Exports what a batch produced: a row for each of its items, and files beside the table.

    A row has seven keys: ``id``, ``status``, ``outcome``, ``error``, ``item`` (the item as the batch lists it),
    ``result`` (the vendor's result object, or null) and ``files``. The outcome is ``ok``, ``partial`` (pages failed, or
    a requested file does not exist), ``failed`` (the vendor reports it), ``missing`` (the result should exist but does
    not) or ``skipped`` (by the vendor). Every item has a row. Files are named by their content,
    ``files/<12 digits>/<SHA-256>.<extension>``, and stored once.

    It also takes the parameters of :class:`~airflow_batch_provider.operators.export.ExportOperator`. Subclasses set the
    results.

    :param files: the kinds of files to download, as a list or comma-separated; an empty list for none; the default
        depends on the vendor
    :param unfinished: what to do if the batch is not finished: ``fail`` (default), or ``export`` what is there
    :param fail_on_item_failures: whether to fail and publish nothing if an item is ``failed``, ``partial`` or
        ``missing``; default: false
    :param shard: the share of the items to export, such as ``3/16``, so that mapped tasks can share a batch, each with
        its own destination; default: all items
    :raises BatchUnfinishedError: the batch is not finished; Airflow retries
    :raises BatchItemsFailedError: items failed, and ``fail_on_item_failures`` is set
    """

    results: ClassVar[Results]
    template_fields: Sequence[str] = (
        *ExportOperator.template_fields,
        "files",
        "unfinished",
        "fail_on_item_failures",
        "shard",
    )

    def __init__(
        self,
        *,
        files: str | Sequence[str] | None = None,
        unfinished: str = "fail",
        fail_on_item_failures: bool | str = False,
        shard: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.files = files
        self.unfinished = unfinished
        self.fail_on_item_failures = fail_on_item_failures
        self.shard = shard

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        return {
            **super().domains(),
            "files": Several(Choice(tuple(kind.name for kind in cls.results.kinds))),
            "unfinished": Choice(("fail", "export")),
            "fail_on_item_failures": Boolean(),
            "shard": SHARD,
        }

    @classmethod
    def exports(cls) -> Results | None:
        """Return the results."""
        return getattr(cls, "results", None)

    def source(self, hook: BatchApiHook, values: Mapping[str, Any]) -> ResultsSource:
        """Return what reads the results.

        :param hook: the hook of the connection
        :param values: the parameters, checked
        """
        from airflow_batch_provider.listing.results import ResultsReader, ResultsRequest

        request = ResultsRequest(
            results=self.results,
            values=values,
            kinds=frozenset(self._wanted),
            takes_unfinished=self.unfinished == "export",
            shard=read_shard(self.shard),
            on_drift=self.on_drift,  # type: ignore[arg-type]
        )

        return ResultsReader(hook.connect(), request).rows

    def asked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest has as ``params``.

        :param values: the parameters, checked
        """
        asked = {**super().asked(values), "files": self._wanted}
        if self.unfinished != "fail":
            asked["unfinished"] = self.unfinished
        return asked if not self.shard else {**asked, "shard": SHARD.encode(self.shard)}

    @classmethod
    def _batch_parameter(cls) -> str:
        return cls.results.batch

    @property
    def _wanted(self) -> list[str]:
        """The kinds of files that are wanted, in the vendor's order."""
        wanted = self.results.usual if self.files is None else (self.encoded("files") or "").split(",")
        return [kind.name for kind in self.results.kinds if kind.name in wanted]

    def _spec_facts(self) -> dict[str, Any]:
        return {
            "is_results": True,
            "fails_on_items": self.encoded("fail_on_item_failures") == "true",
        }

    def _ids(self) -> list[object]:
        return [*super()._ids(), self.shard]
