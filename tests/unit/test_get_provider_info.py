"""What Airflow reads about the package: valid, complete, and enough to draw the connection forms."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from airflow.sdk import BaseOperator, BaseOperatorLink

from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.get_provider_info import get_provider_info
from airflow_batch_provider.vendors import VENDORS
from airflow_batch_provider.waiting.kinds import hook_named
from tests.airflow_versions import forms_from_metadata

INFO = get_provider_info()
EXTRAS = {vendor.name: vendor.all_extras for vendor in VENDORS}
CONNECTION_TYPES = {entry["connection-type"]: entry for entry in INFO["connection-types"]}


def schema(name: str) -> dict[str, Any]:
    return dict(json.loads(files("airflow").joinpath(name).read_text()))


@forms_from_metadata
def test_it_is_valid_by_the_strict_schema_for_provider_files() -> None:
    # These three are for Airflow's own releases.
    release = {"state": "ready", "source-date-epoch": 1, "versions": INFO["versions"]}
    jsonschema.validate({**INFO, **release}, schema("provider.yaml.schema.json"))


def test_it_is_found_by_airflow() -> None:
    (entry_point,) = [e for e in entry_points(group="apache_airflow_provider") if e.module.startswith("airflow_batch")]
    assert entry_point.load()() == INFO


def modules() -> Iterator[str]:
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO[kind]:
            yield from entry["python-modules"]


@pytest.mark.parametrize("module", list(modules()))
def test_every_module_named_can_be_imported(module: str) -> None:
    importlib.import_module(module)


@pytest.mark.parametrize("link", INFO["extra-links"])
def test_every_link_named_can_be_imported_and_is_one(link: str) -> None:
    module, _, name = link.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), name), BaseOperatorLink)


def test_every_link_of_a_task_is_named() -> None:
    """The API server shows no link that is not."""
    tasks = {
        value
        for kind in ("operators", "sensors")
        for entry in INFO[kind]
        for module in entry["python-modules"]
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, type) and issubclass(value, BaseOperator)
    }
    links = {type(link) for task in tasks for link in task.operator_extra_links}
    assert {f"{link.__module__}.{link.__name__}" for link in links} == set(INFO["extra-links"])


def test_airflow_takes_the_options_of_the_configuration() -> None:
    """It formats their defaults, and does not start where one cannot be formatted."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "config", "list", "--section", "batch_provider"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "export_pages" in done.stdout
    assert "batch_pages" in done.stdout


@pytest.mark.parametrize("name", CONNECTION_TYPES)
def test_a_connection_type_names_its_hook(name: str) -> None:
    module, _, hook_name = CONNECTION_TYPES[name]["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), hook_name)
    assert (hook.conn_type, hook.hook_name) == (name, CONNECTION_TYPES[name]["hook-name"])
    assert hook.default_conn_name == f"{name}_default"
    assert hook.conn_name_attr == f"{name}_conn_id"


@pytest.mark.parametrize("name", CONNECTION_TYPES)
def test_a_connection_form_has_a_field_for_every_extra_and_the_key_as_password(name: str) -> None:
    entry = CONNECTION_TYPES[name]
    assert set(entry["conn-fields"]) == set(EXTRAS[name])
    assert entry["ui-field-behaviour"]["relabeling"]["password"] == "API key"
    assert "password" not in entry["ui-field-behaviour"]["hidden-fields"]


REQUIRED = "Required unless every task sets it."


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_the_form_says_what_a_listing_always_needs(vendor: Vendor) -> None:
    hook = hook_named(vendor.hook)
    required = {parameter.name for parameter in hook.probe.parameters if parameter.required}
    fields = CONNECTION_TYPES[vendor.name]["conn-fields"]
    assert {name for name, field in fields.items() if REQUIRED in field["description"]} == required


@pytest.mark.parametrize("name", CONNECTION_TYPES)
def test_a_connection_form_says_what_airflow_needs_to_test_it(name: str) -> None:
    assert CONNECTION_TYPES[name]["ui-field-behaviour"]["placeholders"]["port"].startswith("0 (Airflow 3.3 ")


DRAW_FORMS = """
import json, sys
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
forms = {meta.connection_type: meta for meta in HookMetaService.hook_meta_data()}
ours = ("playment", "llamacloud", "talkifai")
print(json.dumps({
    "names": {name: forms[name].hook_name for name in ours},
    "password": {name: forms[name].standard_fields.password.title for name in ours},
    "fields": {name: sorted(forms[name].extra_fields or {}) for name in ours},
    "regions": forms["llamacloud"].extra_fields["region"]["schema"]["enum"],
    "imported": [name for name in sys.modules if name.startswith("airflow_batch_provider.hooks")],
}))
"""


@pytest.fixture(scope="module")
def forms() -> dict[str, Any]:
    drawn = subprocess.run([sys.executable, "-c", DRAW_FORMS], capture_output=True, text=True, check=True)
    return dict(json.loads(drawn.stdout.splitlines()[-1]))


def test_airflow_draws_the_forms(forms: dict[str, Any]) -> None:
    assert forms["names"] == {name: entry["hook-name"] for name, entry in CONNECTION_TYPES.items()}
    assert set(forms["password"].values()) == {"API key"}
    assert forms["fields"] == {name: sorted(extras) for name, extras in EXTRAS.items()}
    assert forms["regions"] == ["us", "eu"]


@forms_from_metadata
def test_airflow_draws_the_forms_without_importing_a_hook(forms: dict[str, Any]) -> None:
    assert forms["imported"] == []
