"""All that another vendor is declared with, for packages that bring one; ``docs/add-a-vendor.md`` tells how.

The names here stay; the modules that they come from may change.
"""

from __future__ import annotations

from msgspec import field

from airflow_batch_provider.apis.batch_state import (
    CANCELLED,
    FAILED,
    PENDING,
    RUNNING,
    SUCCEEDED,
    BatchKind,
    BatchState,
    Outcome,
    StateFields,
)
from airflow_batch_provider.apis.body import PageBody, RowKey, T, Token, whole_number
from airflow_batch_provider.apis.columns import BOOLEAN, INTEGER, TEXT, TIMESTAMP, ListOf, columns, struct
from airflow_batch_provider.apis.endpoint import Listing, Resource, Vendor
from airflow_batch_provider.apis.paging import CursorPaging, WholePaging
from airflow_batch_provider.apis.parameter import Boolean, Choice, Identifier, Integer, Parameter, Timestamp
from airflow_batch_provider.apis.problem import ProblemKind
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging
from airflow_batch_provider.connections import Extra, connection_type
from airflow_batch_provider.hooks.base import BatchApiHook, Documents
from airflow_batch_provider.operators.export import ListingExportOperator
from airflow_batch_provider.sensors.batch import BatchSensor

__all__ = [
    # whose API it is, and its connections
    "Vendor",
    "ProblemKind",
    "Extra",
    "connection_type",
    # endpoints
    "Listing",
    "Resource",
    "Parameter",
    "Identifier",
    "Choice",
    "Integer",
    "Timestamp",
    "Boolean",
    # pages
    "PageBody",
    "RowKey",
    "T",
    "Token",
    "field",
    "whole_number",
    "WholePaging",
    "CursorPaging",
    "OffsetPaging",
    "NumberPaging",
    # columns
    "columns",
    "struct",
    "ListOf",
    "TEXT",
    "INTEGER",
    "BOOLEAN",
    "TIMESTAMP",
    # states
    "BatchKind",
    "BatchState",
    "StateFields",
    "Outcome",
    "PENDING",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "CANCELLED",
    # classes to subclass
    "BatchApiHook",
    "Documents",
    "BatchSensor",
    "ListingExportOperator",
]
