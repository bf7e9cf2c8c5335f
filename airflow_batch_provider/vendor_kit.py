"""Everything that a package needs to declare another vendor; ``docs/add-a-vendor.md`` shows how.

These names are stable; the modules that they come from may change. This module does not import Airflow, so a provider
info can use the declarations: Airflow reads provider infos before its own import is complete. The base classes are
imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_batch_provider.apis.answers import results
from airflow_batch_provider.apis.auth import Basic, Credentials, KeyHeader
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
from airflow_batch_provider.apis.body import Body
from airflow_batch_provider.apis.columns import (
    BOOLEAN,
    FLOAT,
    INTEGER,
    JSON,
    TEXT,
    TIMESTAMP,
    UNIX_MILLISECONDS,
    UNIX_SECONDS,
    ListOf,
    columns,
    result_columns,
    struct,
)
from airflow_batch_provider.apis.declaration import DeclarationError
from airflow_batch_provider.apis.endpoint import Found, Listing, Resource, look_up
from airflow_batch_provider.apis.extra import Extra
from airflow_batch_provider.apis.json_lines import json_lines
from airflow_batch_provider.apis.moment import Clock
from airflow_batch_provider.apis.one_request import submission
from airflow_batch_provider.apis.page import Row
from airflow_batch_provider.apis.paging import CursorPaging, LastIdPaging, LinkPaging, WholePaging
from airflow_batch_provider.apis.parameter import (
    Boolean,
    Choice,
    Identifier,
    Integer,
    JsonArray,
    JsonObject,
    Parameter,
    Text,
    Timestamp,
)
from airflow_batch_provider.apis.plans import (
    FileKind,
    Location,
    Plan,
    Refused,
    SavedFile,
    ask,
    ask_all,
    fetch,
    find,
    gather,
    keep,
    locate,
    need,
    need_all,
    need_some,
    pause,
)
from airflow_batch_provider.apis.problem import Problem, ProblemKind
from airflow_batch_provider.apis.raw_json import raw_at, read_json
from airflow_batch_provider.apis.request import Part
from airflow_batch_provider.apis.results import (
    Batch,
    Item,
    ItemFields,
    ItemOutcome,
    Results,
    Unrepeatable,
    collected,
    without_result,
)
from airflow_batch_provider.apis.rows_to_submit import check_rows
from airflow_batch_provider.apis.submissions import (
    Ambiguous,
    Copy,
    Existing,
    Know,
    Preflight,
    Standing,
    Stopped,
    Submission,
    Tell,
    Work,
    cancel_others,
    copy_of,
    create,
    each,
    kept_first,
    once,
)
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.apis.windows import NumberPaging, OffsetPaging
from airflow_batch_provider.connection_form import connection_type

if TYPE_CHECKING:
    from airflow_batch_provider.hooks.base import BatchApiHook, Documents
    from airflow_batch_provider.operators.cancel import CancelBatchOperator
    from airflow_batch_provider.operators.declared import Declared
    from airflow_batch_provider.operators.export import ListingExportOperator
    from airflow_batch_provider.operators.finished import FinishedBatchesOperator
    from airflow_batch_provider.operators.results import ResultsExportOperator
    from airflow_batch_provider.operators.run import RunBatchOperator
    from airflow_batch_provider.sensors.batch import BatchSensor
    from airflow_batch_provider.submitting.rows import Rows

__all__ = [
    # whose API it is, and its connections
    "Vendor",
    "KeyHeader",
    "Basic",
    "Credentials",
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
    "Text",
    "JsonObject",
    "JsonArray",
    "DeclarationError",
    # pages
    "Body",
    "WholePaging",
    "CursorPaging",
    "LastIdPaging",
    "LinkPaging",
    "OffsetPaging",
    "NumberPaging",
    "Clock",
    # columns
    "columns",
    "struct",
    "ListOf",
    "TEXT",
    "INTEGER",
    "FLOAT",
    "BOOLEAN",
    "TIMESTAMP",
    "UNIX_SECONDS",
    "UNIX_MILLISECONDS",
    "JSON",
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
    # results: what a batch produced
    "results",
    "Results",
    "result_columns",
    "FileKind",
    "Plan",
    "Batch",
    "Item",
    "ItemFields",
    "ItemOutcome",
    "Unrepeatable",
    "collected",
    "without_result",
    # the steps of a plan, and what comes of them
    "ask",
    "ask_all",
    "need",
    "need_all",
    "need_some",
    "locate",
    "fetch",
    "gather",
    "find",
    "keep",
    "pause",
    "Row",
    "Found",
    "Location",
    "SavedFile",
    "Refused",
    "Problem",
    # what lies in an object
    "look_up",
    "read_json",
    "raw_at",
    # submissions: how a batch is made, once
    "submission",
    "check_rows",
    "Submission",
    "Work",
    "Existing",
    "Copy",
    "Preflight",
    "Stopped",
    "Ambiguous",
    "Know",
    "Standing",
    "Tell",
    "Rows",
    "Part",
    "json_lines",
    "once",
    "copy_of",
    "create",
    "each",
    "kept_first",
    "cancel_others",
    # classes to subclass
    "Declared",
    "BatchApiHook",
    "Documents",
    "BatchSensor",
    "ListingExportOperator",
    "ResultsExportOperator",
    "RunBatchOperator",
    "CancelBatchOperator",
    "FinishedBatchesOperator",
]

_CLASSES = {
    "Declared": "airflow_batch_provider.operators.declared",
    "BatchApiHook": "airflow_batch_provider.hooks.base",
    "Documents": "airflow_batch_provider.hooks.base",
    "BatchSensor": "airflow_batch_provider.sensors.batch",
    "ListingExportOperator": "airflow_batch_provider.operators.export",
    "ResultsExportOperator": "airflow_batch_provider.operators.results",
    "RunBatchOperator": "airflow_batch_provider.operators.run",
    "CancelBatchOperator": "airflow_batch_provider.operators.cancel",
    "FinishedBatchesOperator": "airflow_batch_provider.operators.finished",
    "Rows": "airflow_batch_provider.submitting.rows",
}


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_CLASSES[name]), name)
