"""What pip is told holds together."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"cluster", "dev", "docs", "ui"}
LIBRARIES = [*PROJECT["dependencies"], *EXTRAS["parquet"], *EXTRAS["zstd"]]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines)


def test_the_extra_all_holds_every_extra_of_users() -> None:
    (own,) = EXTRAS["all"]
    assert own == f"airflow-batch-provider[{','.join(sorted(EXTRAS.keys() - FOR_DEVELOPERS - {'all'}))}]"


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_oldest_that_is_allowed_is_what_is_tested(library: str) -> None:
    name, oldest = re.fullmatch(r"([\w-]+)>=([\d.]+)", library).groups()  # type: ignore[union-attr]
    assert f"{pins('constraints-oldest.txt')[name]}.".startswith(f"{oldest}.")


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-next.txt", "constraints-oldest.txt"])
def test_constraints_are_names_and_versions_alone(name: str) -> None:
    pinned = (ROOT / name).read_text().splitlines()
    assert len(pinned) > 100
    assert [line for line in pinned if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)] == []


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - {"all"}))
def test_what_an_extra_needs_is_pinned(extra: str) -> None:
    """``make package`` checks that pip can install it all together; this needs no network."""
    names = {match[0] for need in EXTRAS[extra] if (match := re.match(r"[\w.-]+", need))}
    needed, pinned = ({name.lower().replace("_", "-") for name in each} for each in (names, pins("constraints.txt")))
    assert needed - pinned - {"airflow-batch-provider"} == set()
