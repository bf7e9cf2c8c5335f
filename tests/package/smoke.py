"""What a user of the wheel may do first, run where nothing else is installed; prints what came of it as JSON."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
import tempfile
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import airflow_batch_provider
from airflow_batch_provider.exceptions import InvalidParameterError
from airflow_batch_provider.export import read_export
from airflow_batch_provider.operators.llamacloud import LlamaCloudExportBatchesOperator
from airflow_batch_provider.operators.playment import PlaymentExportBatchesOperator
from airflow_batch_provider.operators.talkifai import TalkifAIExportBatchJobsOperator
from airflow_batch_provider.testing import sandbox

EXPORTS = {
    "playment": PlaymentExportBatchesOperator,
    "llamacloud": LlamaCloudExportBatchesOperator,
    "talkifai": TalkifAIExportBatchJobsOperator,
}


def classes() -> list[str]:
    """Import every module that works without an extra or pytest, and return the public classes that it defines."""
    found = []
    for module in pkgutil.walk_packages(airflow_batch_provider.__path__, f"{airflow_batch_provider.__name__}."):
        if module.name.endswith((".__main__", ".parquet", ".arrow", ".testing.contract")):
            continue
        members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        found += [f"{module.name}.{name}" for name, member in members if member.__module__ == module.name]
    return [name for name in found if not name.rpartition(".")[2].startswith("_")]


def export(operator: Any, **options: str) -> dict[str, int]:
    with tempfile.TemporaryDirectory() as folder:
        summary = operator(task_id="export", destination=folder, **options).execute({})
        return {"rows": summary["rows"], "read back": sum(1 for _ in read_export(folder))}


def error(**options: str) -> str:
    try:
        export(TalkifAIExportBatchJobsOperator, **options)
    except InvalidParameterError as raised:
        return str(raised)
    return ""


with sandbox():
    report = {
        "imported from": airflow_batch_provider.__file__,
        "version": airflow_batch_provider.__version__,
        "typed": files("airflow_batch_provider").joinpath("py.typed").is_file(),
        "classes": classes(),
        "entry points": [
            point.value
            for point in entry_points(group="apache_airflow_provider")
            if point.module.startswith("airflow_batch_provider")
        ],
        "exports": {vendor: export(operator) for vendor, operator in EXPORTS.items()},
        "errors": {"parquet": error(file_format="parquet"), "zstd": error(compression="zstd")},
    }
sys.stdout.write(json.dumps(report))
