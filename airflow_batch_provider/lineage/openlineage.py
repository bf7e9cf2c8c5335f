"""OpenLineage: an export reads a vendor's listing and writes a folder. Its libraries are imported only when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from airflow_batch_provider.apis.columns import TEXT, Column, ColumnType, ListOf, Struct
from airflow_batch_provider.apis.endpoint import Listing
from airflow_batch_provider.apis.parameter import Identifier
from airflow_batch_provider.apis.results import Results
from airflow_batch_provider.lineage.datasets import destination_dataset, vendor_namespace

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.facet_v2 import schema_dataset

    from airflow_batch_provider.export.manifest import Manifest


class Exported(msgspec.Struct, frozen=True):
    """What an export has read and written.

    :param listing: what was read: a listing, or the results of a batch
    :param base_url: where
    :param destination: the folder, as its store spells it
    :param manifest: what is in it
    :param account: the storage account of a destination in Azure
    :param added: the names of the columns that the files have before the documented ones
    """

    listing: Listing | Results
    base_url: str
    destination: str
    manifest: Manifest
    account: str | None = None
    added: tuple[str, ...] = ()


def operator_lineage(exported: Exported | None) -> OperatorLineage[Any, Any]:
    """Return what OpenLineage's provider asks an operator for.

    :param exported: None where nothing was exported
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    if exported is None:
        return OperatorLineage()
    return OperatorLineage(inputs=[_input(exported)], outputs=[_output(exported)])


def listing_name(listing: Listing | Results, params: Mapping[str, Any]) -> str:
    """Return the name of what was listed: the listing and the ids that it was asked for.

    Words and times only choose among its rows, and page sizes say how they come, so neither makes another dataset.
    """
    ids = {
        parameter.name: params[parameter.name]
        for parameter in listing.parameters
        if isinstance(parameter.domain, Identifier) and parameter.name in params
    }
    return listing.name + (f"?{urlencode(sorted(ids.items()))}" if ids else "")


def _input(exported: Exported) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset

    statistics = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=exported.manifest.rows)
    return InputDataset(
        namespace=vendor_namespace(exported.base_url),
        name=listing_name(exported.listing, exported.manifest.params),
        facets={"schema": _schema(exported.listing.columns)},
        inputFacets={"inputStatistics": statistics},
    )


def _output(exported: Exported) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset

    from airflow_batch_provider.formats.fields import EXTRA
    from airflow_batch_provider.formats.registry import FORMATS

    manifest = exported.manifest
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        rowCount=manifest.rows,
        size=manifest.bytes + manifest.files.bytes,
        fileCount=len(manifest.parts) + manifest.files.count,
    )
    namespace, name = destination_dataset(exported.destination, exported.account)
    added = [Column(name, TEXT) for name in exported.added]
    extra = (Column(EXTRA, TEXT),) if FORMATS[manifest.format].has_columns else ()
    return OutputDataset(
        namespace=namespace,
        name=name,
        facets={"schema": _schema((*added, *exported.listing.columns, *extra))},
        outputFacets={"outputStatistics": statistics},
    )


def _schema(columns: Iterable[Column]) -> schema_dataset.SchemaDatasetFacet:
    from openlineage.client.facet_v2 import schema_dataset

    return schema_dataset.SchemaDatasetFacet(fields=[_field(column.name, column.type) for column in columns])


def _field(name: str, column_type: ColumnType) -> schema_dataset.SchemaDatasetFacetFields:
    """Return a field, nested as OpenLineage writes it: an array has one field that stands for each element."""
    from openlineage.client.facet_v2 import schema_dataset

    if isinstance(column_type, ListOf):
        return schema_dataset.SchemaDatasetFacetFields(name, "array", fields=[_field("_element", column_type.element)])
    if isinstance(column_type, Struct):
        fields = [_field(column.name, column.type) for column in column_type.fields]
        return schema_dataset.SchemaDatasetFacetFields(name, "struct", fields=fields)
    return schema_dataset.SchemaDatasetFacetFields(name, str(column_type))
