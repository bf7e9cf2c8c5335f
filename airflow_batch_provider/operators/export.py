"""What the export operators of all vendors share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_provider.apis.batch_state import BatchKind
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.literals import OrNone, Several, Values, violation_of
from airflow_batch_provider.apis.parameter import Boolean, Choice, Identifier, Integer
from airflow_batch_provider.exceptions import EmptyExportError, InvalidParameterError
from airflow_batch_provider.expect import Expect
from airflow_batch_provider.expect import violation_of as violation_of_rules
from airflow_batch_provider.formats.registry import COMPRESSION_NAMES, FORMATS, compression_of
from airflow_batch_provider.hooks.checked_task import CheckedTask, domains_of
from airflow_batch_provider.hooks.template_fields import check_template_fields
from airflow_batch_provider.lineage.assets import announce, declare_outlet, withhold
from airflow_batch_provider.lineage.datasets import asset_uri
from airflow_batch_provider.lineage.destination_root import root_uri
from airflow_batch_provider.lineage.openlineage import Exported, operator_lineage
from airflow_batch_provider.lineage.partitions import partition_key
from airflow_batch_provider.lineage.partitions import violation_of as violation_of_partitions
from airflow_batch_provider.links.export_page import PublishedExportLink
from airflow_batch_provider.operators.batch_version import VersionReader, version_reader
from airflow_batch_provider.operators.map_label import label_mapped_task
from airflow_batch_provider.stores.role import DESTINATION

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context, ObjectStoragePath

    from airflow_batch_provider.apis.results import Results
    from airflow_batch_provider.export.export import PageSource, ResultsSource
    from airflow_batch_provider.export.manifest import Manifest, TaskRun
    from airflow_batch_provider.export.spec import ExportSpec
    from airflow_batch_provider.hooks.base import BatchApiHook
    from airflow_batch_provider.stores.destination import Store


class ExportOperator(CheckedTask):
    """Exports rows to object storage: published complete, or not at all.

    Use one folder for each export. It contains ``part-...`` files and a ``_MANIFEST.json``, which is written last and
    lists them with rows, bytes and SHA-256. Until then a previous export stays as it is. The task returns a summary of
    the manifest.

    Each export is an asset event with that summary as its extra: on the assets and aliases in ``outlets``, or, if there
    are none, on ``AssetAlias("<dag id>/<task id>")``. An alias stands for an asset whose URI is the part of the
    destination that stays the same from run to run.

    Subclasses name the hook and what is exported; those of its parameters that they take are template fields of theirs.
    All parameters but ``partition_assets`` are templates. A value that is neither a template nor another task's output
    is checked when the DAG is parsed, and so is whether the library is installed that it needs. If only workers have
    that library, write the value as a template: ``file_format="{{ 'parquet' }}"``.

    :param destination: the folder: a URI such as ``s3://aws_default@raw/playment/{{ ds }}`` or
        ``file:///data/exports``, an absolute path, or an ``ObjectStoragePath``
    :param destination_conn_id: the id of the Airflow connection for a destination that contains none
    :param file_format: ``jsonl`` (default), one object per line as the vendor sent it; or ``csv`` or ``parquet`` (needs
        the extra ``parquet``), with a column for each documented field, and ``_extra`` for all others
    :param compression: ``gzip``, ``zstd`` (needs the extra ``zstd``), or None; ``default`` is ``gzip`` for JSONL and
        CSV, and ``zstd`` for Parquet, which allows no other
    :param escape_formulas: whether to put an apostrophe before text in CSV that a spreadsheet would run as a formula
    :param add_params: names of parameters to add as text columns to CSV and Parquet, such as ``("batch_id",)``; rows of
        Playment's jobs do not contain the id of their batch
    :param rows_per_part: the number of rows in each file except the last; default: 100,000
    :param if_exists: what to do if the destination has an export already: ``replace`` it (default), fail with
        ``error``, ``skip`` the work, or ``refresh``, which skips if the batch has not changed since and replaces
        otherwise; ``refresh`` is for exports of one batch
    :param if_empty: what to do if there are no rows: ``publish`` an empty export (default), ``fail``, or ``skip`` the
        task; the last two keep a previous export
    :param expect: rules that the export must satisfy to be published, such as ``Expect(rows_at_least=100)`` or the same
        as a dict (:class:`~airflow_batch_provider.export.Expect`); if one is broken, the previous export stays
    :param on_drift: what to do if a listing that is paged by offset or number changes while it is read: ``retry``
        (default) reads it again and fails after three passes, ``fail`` fails at the first sign of a change, and
        ``warn`` publishes and reports it in the manifest
    :param resume: whether a retry or a cleared task resumes where the try before it ended (default), up to a day later
    :param partition_assets: whether the event of an ``Asset`` in ``outlets`` has the batch's id as its partition key:
        a DAG scheduled on the partitions runs once for each batch; for exports of one batch, from Airflow 3.3 on
    :raises InvalidParameterError: a value is not allowed; says which and what is
    :raises ExpectationError: a rule of ``expect`` is broken; Airflow retries
    :raises FatalError: a retry would fail again, so Airflow does not retry
    :raises TransientError: the fault can pass, so Airflow retries
    """

    hook_class: ClassVar[type[BatchApiHook]]
    batch_kind: ClassVar[BatchKind | None] = None
    """The kind of batch that one export is of, if it is of one."""
    template_fields: Sequence[str] = (
        "destination",
        "destination_conn_id",
        "file_format",
        "compression",
        "escape_formulas",
        "add_params",
        "rows_per_part",
        "if_exists",
        "if_empty",
        "expect",
        "on_drift",
        "resume",
    )
    places = (DESTINATION,)
    operator_extra_links = (PublishedExportLink(),)
    published_to: Store | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if (exported := cls.exports()) and not cls.__name__.startswith("_"):
            required = [parameter.name for parameter in exported.parameters if parameter.required]
            check_template_fields(cls, [*required, cls.hook_class.conn_name_attr])

    @classmethod
    def exports(cls) -> Listing | Results | None:
        """Return what is exported; None for a class that leaves it to its subclasses."""
        return None

    @abstractmethod
    def source(self, hook: BatchApiHook, values: Mapping[str, Any]) -> PageSource | ResultsSource:
        """Return what reads the rows.

        :param hook: the hook of the connection
        :param values: the parameters, checked
        """

    def asked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the manifest has as ``params``.

        :param values: the parameters, checked
        """
        return self._exports.given(values)

    @property
    def _exports(self) -> Listing | Results:
        exported = self.exports()
        assert exported
        return exported

    _exported: Exported | None = None

    def __init__(
        self,
        *,
        destination: str | ObjectStoragePath,
        destination_conn_id: str | None = None,
        file_format: str = "jsonl",
        compression: str | None = "default",
        escape_formulas: bool | str = False,
        add_params: str | Sequence[str] = (),
        rows_per_part: int | str = 100_000,
        if_exists: str = "replace",
        if_empty: str = "publish",
        expect: Expect | None = None,
        on_drift: str = "retry",
        resume: bool | str = True,
        partition_assets: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self._given_destination = destination
        self.destination_conn_id = destination_conn_id
        self.file_format = file_format
        self.compression = compression
        self.escape_formulas = escape_formulas
        self.add_params = add_params
        self.rows_per_part = rows_per_part
        self.if_exists = if_exists
        self.if_empty = if_empty
        self.expect = expect
        self.on_drift = on_drift
        self.resume = resume
        self.partition_assets = partition_assets
        if self.has_dag():  # type: ignore[no-untyped-call]
            declare_outlet(self, self.dag_id, self.task_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Export and return the manifest's summary."""
        # These import the HTTP library and fsspec, which parsing a DAG must not cost.
        from airflow_batch_provider.export.existing import IfExists
        from airflow_batch_provider.export.expectations import Expectations
        from airflow_batch_provider.export.export import export
        from airflow_batch_provider.stores.destination import open_store

        self.check_parameters()
        hook = self.hook_class(getattr(self, self.hook_class.conn_name_attr))
        values = hook.fill(self._exports, self._values())
        label_mapped_task(context, self._ids())
        store = open_store(self.destination, self.destination_conn_id or None)
        spec = self._spec(context, hook, values)
        source = self.source(hook, values)
        resume = self.encoded("resume") == "true"
        if_exists, may_be_empty = IfExists(self.if_exists), self.if_empty == "publish"
        try:
            manifest = export(
                source,
                store,
                spec,
                resume=resume,
                if_exists=if_exists,
                may_be_empty=may_be_empty,
                expectations=Expectations.of(self.expect or {}),
            )
        except EmptyExportError as error:
            if self.if_empty == "skip":
                raise AirflowSkipException(str(error)) from None
            raise
        if manifest.export_id == spec.id:
            return self._report(context, hook, store, manifest)
        self.log.info("Left the export of %s at %s as it is", manifest.finished_at, store.uri)
        withhold(self)
        self.published_to = store
        return manifest.summary(store.uri)

    @classmethod
    def domains(cls) -> dict[str, Values]:
        """Return what parameters may be, by their names."""
        exported = cls.exports()
        parameters = exported.parameters if exported else ()
        return {
            **(domains_of(parameters, cls.template_fields, exported.vendor) if exported else {}),
            "file_format": Choice(tuple(FORMATS)),
            "compression": OrNone(Choice(COMPRESSION_NAMES), may_be_blank=True),
            "escape_formulas": Boolean(),
            "add_params": Several(Choice(tuple(parameter.name for parameter in parameters))),
            "rows_per_part": Integer(1),
            "if_exists": Choice(("replace", "error", "skip", "refresh")),
            "if_empty": Choice(("publish", "fail", "skip")),
            "on_drift": Choice(("retry", "fail", "warn")),
            "resume": Boolean(),
            "partition_assets": Boolean(),
        }

    @classmethod
    def checked(cls) -> list[str]:
        """Return the names of the parameters that are checked."""
        return [*super().checked(), "expect", "outlets"]

    @classmethod
    def check_values(cls, values: Mapping[str, Any]) -> None:
        """Check values that are known, also those that have to go together.

        :param values: by the names of parameters
        """
        super().check_values(values)
        if violation := violation_of_rules(values.get("expect"), has_items=getattr(cls, "results", None) is not None):
            raise InvalidParameterError(f"{cls.__name__}: {violation}.")
        if values.get("if_exists") == "refresh" and (cls.batch_kind is None or cls._batch_parameter() is None):
            raise InvalidParameterError(
                f"{cls.__name__}: if_exists='refresh' is for exports of one batch, whose state says whether it "
                "changed; allowed is one of 'replace', 'error', 'skip'."
            )
        if "file_format" in values and "compression" in values:
            compression_of(values["file_format"], values["compression"] or None)
        if values.get("partition_assets") and "outlets" in values:
            is_of_a_batch = cls._batch_parameter() is not None
            if reason := violation_of_partitions(values["outlets"], is_of_a_batch=is_of_a_batch):
                raise InvalidParameterError(f"{cls.__name__}: {reason}.")

    def _version_reader(self, hook: BatchApiHook, values: Mapping[str, Any]) -> VersionReader | None:
        """Return what reads the state of the batch that is exported, None if it is a listing of many."""
        parameter = self._batch_parameter()
        if self.batch_kind is None or parameter is None:
            return None
        return version_reader(hook, self.batch_kind, values, str(values[parameter]))

    @classmethod
    def _batch_parameter(cls) -> str | None:
        """Return the parameter with the id of the batch that is exported."""
        return None

    def _spec(self, context: Context, hook: BatchApiHook, values: Mapping[str, Any]) -> ExportSpec:
        from airflow_batch_provider.export.spec import ExportSpec
        from airflow_batch_provider.formats.format import Format

        params = self.asked(values)
        return ExportSpec(
            listing=self._exports.name,
            params=params,
            file_format=Format(
                self.file_format,
                self.compression or None,
                self._exports.columns,
                escape_formulas=self.encoded("escape_formulas") == "true",
                added=self._added(params),
            ),
            rows_per_part=int(self.rows_per_part),
            task_run=_task_run(context),
            show=hook.connect().show,
            **self._spec_facts(),
            source=hook.connect().settings.source,
            version_now=self._version_reader(hook, values),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Report to OpenLineage, if its provider is installed, what was read and written.

        :param task_instance: the task instance
        """
        return operator_lineage(self._exported)

    def _report(self, context: Context, hook: BatchApiHook, store: Store, manifest: Manifest) -> dict[str, Any]:
        """Report to Airflow's assets and to OpenLineage what was exported, and return its summary."""
        summary = manifest.summary(store.uri)
        parameter = self._batch_parameter() if self.partition_assets else None
        partition = None if parameter is None else partition_key(str(summary["params"][parameter]))
        announce(self, context, summary, self._root(context, store), partition)
        self.published_to = store
        base_url = hook.get_conn().settings.base_url
        added = tuple(self._added(manifest.params))
        self._exported = Exported(self._exports, base_url, store.uri, manifest, store.account, added)
        return summary

    def _root(self, context: Context, store: Store) -> str:
        """Return the URI of the asset that the task's exports are events for."""
        return root_uri(
            asset_uri(store.uri),
            self._given_destination,
            self.destination,
            is_mapped=getattr(context.get("ti"), "map_index", -1) >= 0,
            render=lambda template: self.render_template(template, context),
        )

    def _spec_facts(self) -> dict[str, Any]:
        """Return what else the spec says."""
        return {}

    def _values(self) -> dict[str, Any]:
        names = {parameter.name for parameter in self._exports.parameters}
        return {name: getattr(self, name) for name in self.template_fields if name in names}

    def _ids(self) -> list[object]:
        """Return the ids that the task sets itself, in the order of the parameters."""
        own = self._values()
        return [own.get(known.name) for known in self._exports.parameters if isinstance(known.domain, Identifier)]

    def _added(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Return the columns to add.

        :param params: what was asked for
        """
        names = Several(Choice(tuple(name for name, value in params.items() if isinstance(value, str))))
        if violation := violation_of("add_params", self.add_params, names):
            raise InvalidParameterError(f"{type(self).__name__}: {violation}.")
        return {str(name): params[str(name)] for name in names.items(self.add_params)}


class ListingExportOperator(ExportOperator):
    """Exports a whole listing.

    It takes the parameters of :class:`ExportOperator`. Subclasses set the listing.
    """

    listing: ClassVar[Listing]

    @classmethod
    def exports(cls) -> Listing | None:
        """Return the listing."""
        return getattr(cls, "listing", None)

    def source(self, hook: BatchApiHook, values: Mapping[str, Any]) -> PageSource:
        """Return what reads the listing.

        :param hook: the hook of the connection
        :param values: the parameters, checked
        """
        return partial(
            hook.read_pages,
            self.listing,
            self.listing.request(values),
            on_drift=self.on_drift,
            prefetch=True,
        )


def _task_run(context: Context) -> TaskRun:
    """Return who runs, as far as the context says it: it is empty in users' unit tests."""
    from airflow_batch_provider.export.manifest import TaskRun

    task_instance: Any = context.get("ti")
    if task_instance is None:
        return TaskRun()
    logical_date: Any = context.get("logical_date")
    return TaskRun(
        dag_id=task_instance.dag_id,
        task_id=task_instance.task_id,
        run_id=task_instance.run_id,
        logical_date=logical_date.isoformat() if logical_date else None,
        map_index=task_instance.map_index,
        try_number=getattr(task_instance, "try_number", None),
    )
