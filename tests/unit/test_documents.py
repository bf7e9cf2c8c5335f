"""What README and compose file say is what the package does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from airflow_batch_provider.sandbox import Settings, serve
from airflow_batch_provider.testing import connections
from airflow_batch_provider.vendors import VENDORS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_extra_of_a_connection_is_documented() -> None:
    page = (ROOT / "docs" / "connections.md").read_text()
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("|")]
    documented = set(re.findall(r"`([a-z_]+)`", "\n".join(first_cells)))
    assert documented == {name for vendor in VENDORS for name in vendor.all_extras}


MODULES = [
    path
    for kind in ("operators", "sensors")
    for path in sorted((ROOT / "airflow_batch_provider" / kind).glob("[a-z]*.py"))
    if path.stem in {vendor.name for vendor in VENDORS}
]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_operator_and_sensor_is_in_the_readme(module: Path) -> None:
    classes = [node.name for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)]
    public = [name for name in classes if not name.startswith("_")]
    assert public
    assert all(f"`{name}`" in README for name in public)


def test_every_link_of_the_readme_leads_to_a_file() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_compose_file_holds_the_keys_that_the_sandbox_takes() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    environment = compose["services"]["worker-1"]["environment"]
    with serve(Settings()) as sandbox:
        for name, connection in connections(sandbox).items():
            expected = yaml.safe_load(connection.replace(sandbox.url, "http://sandbox:8800"))
            given = yaml.safe_load(environment[name])
            assert given == {key: value for key, value in expected.items() if value}
