"""The wheel works in an environment that holds nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_batch_provider import __version__
from airflow_batch_provider.get_provider_info import get_provider_info
from tests.package.conftest import CONSTRAINTS, PIP_INSTALL, Environment

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def found(installed: Environment) -> dict[str, Any]:
    """What a user's script finds; see ``smoke.py``."""
    return dict(json.loads(installed.run(HERE / "smoke.py").splitlines()[-1]))


def test_it_is_imported_from_the_environment(found: dict[str, Any], installed: Environment) -> None:
    assert Path(found["imported from"]).is_relative_to(installed.folder)
    assert found["version"] == __version__


def test_types_are_there_for_users_of_mypy(found: dict[str, Any]) -> None:
    assert found["typed"]


def test_every_public_class_can_be_imported(found: dict[str, Any]) -> None:
    package = "airflow_batch_provider"
    info = get_provider_info()
    modules = {
        name for kind in ("hooks", "operators", "sensors") for entry in info[kind] for name in entry["python-modules"]
    }
    for module in modules:
        assert any(name.startswith(f"{module}.") for name in found["classes"]), module
    assert {entry["hook-class-name"] for entry in info["connection-types"]} <= set(found["classes"])
    assert {f"{package}.triggers.batch.BatchStatusTrigger", f"{package}.operators.verify.VerifyExportOperator"} <= set(
        found["classes"]
    )


def test_the_entry_point_leads_to_the_metadata(found: dict[str, Any]) -> None:
    assert found["entry points"] == ["airflow_batch_provider.get_provider_info:get_provider_info"]


@pytest.mark.parametrize("vendor", ["playment", "llamacloud", "talkifai"])
def test_an_export_from_the_sandbox_runs(vendor: str, found: dict[str, Any]) -> None:
    assert found["exports"][vendor]["rows"] == found["exports"][vendor]["read back"] > 0


@pytest.mark.parametrize(("what", "extra"), [("parquet", "parquet"), ("zstd", "zstd")])
def test_what_needs_an_extra_says_which(what: str, extra: str, found: dict[str, Any]) -> None:
    assert found["errors"][what].endswith(f"pip install 'airflow-batch-provider[{extra}]'")


def test_airflow_lists_the_provider(installed: Environment) -> None:
    told = installed.run("-m", "airflow", "providers", "get", "airflow-batch-provider", "--full", "--output", "json")
    (provider,) = json.loads(told[told.index("[") :])
    assert provider["package-name"] == "airflow-batch-provider"
    assert __version__ in str(provider["versions"])
    assert "playment" in str(provider["connection-types"])


def test_airflow_lists_the_page_in_its_ui(installed: Environment) -> None:
    told = installed.run("-m", "airflow", "plugins", "--output", "json")
    plugins = {plugin["name"]: plugin for plugin in json.loads(told[told.index("[{") :])}
    assert "Batches" in str(plugins["batch_provider"]["external_views"])
    assert "/batch-provider" in str(plugins["batch_provider"]["fastapi_apps"])


def test_what_is_installed_goes_together(installed: Environment) -> None:
    assert "No broken requirements" in installed.run("-m", "pip", "check", "--disable-pip-version-check")


def test_every_extra_can_be_installed_with_the_pinned_versions_alone(
    wheel: Path, installed: Environment, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    installed.run(*PIP_INSTALL, "--dry-run", "--report", report, f"{wheel}[all]")
    chosen = {item["metadata"]["name"].lower() for item in json.loads(report.read_text())["install"]}
    pinned = {line.split("==")[0].lower() for line in CONSTRAINTS.read_text().splitlines()}
    assert chosen - pinned <= {"airflow-batch-provider"}
    assert {"apache-airflow-providers-amazon", "apache-airflow-providers-google", "pyarrow"} <= chosen
