"""The page knows each of our tasks by its operator's name or by its rendered fields."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from typing import Any

import pytest

from airflow_batch_provider import operators, sensors
from airflow_batch_provider.operators.cancel import BatchActionOperator
from airflow_batch_provider.operators.verify import VerifyExportOperator
from airflow_batch_provider.plugin.files import FOLDER
from airflow_batch_provider.sensors.batch import WAIT_KEY, BatchSensor
from airflow_batch_provider.triggers.batch import BatchStatusTrigger
from airflow_batch_provider.vendors import VENDORS

SOURCE = (FOLDER / "tasks.js").read_text()
FIELDS = json.loads(re.sub(r",\s*\]$", "]", re.search(r"const FIELDS = (\[.*?\n\]);", SOURCE, re.S)[1]))  # type: ignore[index]
NAMES = re.compile(re.search(r"const NAMES = /(.+)/;", SOURCE)[1])  # type: ignore[index]


def public() -> dict[str, Any]:
    """Return the operators and sensors that users put into DAGs."""
    found = {}
    for package in (operators, sensors):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if member.__module__ == module.name and not name.startswith("_") and hasattr(member, "execute"):
                    found[name] = member
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", [name for name, each in PUBLIC.items() if not inspect.isabstract(each)])
def test_a_public_operator_is_known_by_its_name(name: str) -> None:
    bases = {"BatchSensor", "RunBatchOperator", "CancelBatchOperator", "FinishedBatchesOperator"}
    assert NAMES.match(name) or name in bases or name.endswith("ExportOperator")


@pytest.mark.parametrize("name", PUBLIC)
def test_a_subclass_is_known_by_its_fields(name: str) -> None:
    cls = PUBLIC[name]
    known = [fields for fields in FIELDS if set(fields) <= set(cls.template_fields)]
    assert len(known) == (0 if issubclass(cls, (BatchActionOperator, VerifyExportOperator)) else 1)
    assert (known == [FIELDS[0]]) is issubclass(cls, BatchSensor)


def test_the_vendors_have_the_titles_that_they_have_everywhere() -> None:
    titles = dict(re.findall(r"(\w+): \"([^\"]+)\"", re.search(r"const VENDORS = \{(.+)\};", SOURCE)[1]))  # type: ignore[index]
    assert titles == {vendor.name: vendor.title for vendor in VENDORS}


def test_the_xcom_and_the_trigger_have_the_names_that_the_page_looks_for() -> None:
    assert f'const XCOM = "{WAIT_KEY}"' in (FOLDER / "waits.js").read_text()
    prefix = re.search(r"const TRIGGERS = \"(.+)\"", SOURCE)[1]  # type: ignore[index]
    assert BatchStatusTrigger.__module__.startswith(prefix)
