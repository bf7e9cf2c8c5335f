"""Which Airflow is installed, and the oldest one that will do."""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

OLDEST = (3, 1)


def installed_airflow() -> tuple[int, int] | None:
    """Return Airflow's major and minor version, None if it is not installed."""
    # Airflow 2 has no core, and from Airflow 3 on the core may be installed by itself.
    for distribution in ("apache-airflow", "apache-airflow-core"):
        with suppress(PackageNotFoundError):
            major, minor = version(distribution).split(".")[:2]
            return int(major), int(minor)
    return None


def require_airflow() -> None:
    """Raise a clear error if Airflow is too old, before an import fails without a reason.

    :raises RuntimeError: it is
    """
    found = installed_airflow()
    if found is not None and found < OLDEST:
        raise RuntimeError(
            f"airflow-batch-provider needs Apache Airflow {_dotted(OLDEST)} or newer, "
            f"but {_dotted(found)} is installed; upgrade Airflow, or uninstall this provider."
        )


def _dotted(release: tuple[int, int]) -> str:
    return "{}.{}".format(*release)
