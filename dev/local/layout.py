"""Where a local Airflow lies and listens, and the commands and environment of its components."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.processes import airflow_environment

USER = "admin"
PASSWORD = "admin"  # noqa: S105 - for a server that listens on 127.0.0.1 only


@dataclass(frozen=True)
class Layout:
    """Folders and ports of a local Airflow.

    :param folder: contains all its files
    :param airflow_port: the UI and the API
    :param sandbox_port: the vendors' APIs
    :param exports_port: a web server of the exported files
    """

    folder: Path
    airflow_port: int
    sandbox_port: int
    exports_port: int

    @property
    def airflow_url(self) -> str:
        """The UI."""
        return _url(self.airflow_port)

    @property
    def batches_url(self) -> str:
        """The page "Batches" in the UI."""
        return f"{self.airflow_url}/plugin/batches"

    @property
    def sandbox_url(self) -> str:
        """The vendors' APIs."""
        return _url(self.sandbox_port)

    @property
    def exports_url(self) -> str:
        """The exported files."""
        return _url(self.exports_port)

    @property
    def exports(self) -> Path:
        """The folder that the example DAGs export to."""
        return self.folder / "exports"

    @property
    def passwords(self) -> Path:
        """The file with the password to log in with."""
        return self.folder / "passwords.json"

    @property
    def logs(self) -> Path:
        """The folder with a log of each component."""
        return self.folder / "logs"


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def services(layout: Layout) -> dict[str, Sequence[str]]:
    """Return the commands of the servers beside Airflow, by name."""
    exports = ["--bind", "127.0.0.1", "--directory", str(layout.exports), str(layout.exports_port)]
    # Ten minutes, so that there are batches to wait for.
    sandbox = ["--port", str(layout.sandbox_port), "--duration", "600"]
    return {
        "sandbox": [sys.executable, "-m", "airflow_batch_provider.sandbox", *sandbox],
        "exports": [sys.executable, "-m", "http.server", *exports],
    }


def components(layout: Layout) -> dict[str, Sequence[str]]:
    """Return the commands of Airflow's components, by name.

    ``airflow standalone`` would start them too, but with log servers that listen on all interfaces.
    """
    airflow = [sys.executable, "-m", "airflow"]
    port = str(layout.airflow_port)
    return {
        "api-server": [*airflow, "api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1"],
        "scheduler": [*airflow, "scheduler", "--skip-serve-logs"],
        "dag-processor": [*airflow, "dag-processor"],
        "triggerer": [*airflow, "triggerer", "--skip-serve-logs"],
    }


def environment(layout: Layout) -> dict[str, str]:
    """Return the variables of every component, without settings of another Airflow."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW__", "AIRFLOW_CONFIG"))}
    return {
        **own,
        **airflow_environment(layout.folder / "airflow"),
        "AIRFLOW_VAR_EXPORTS": layout.exports.as_uri(),
        "AIRFLOW__API__BASE_URL": layout.airflow_url,
        "AIRFLOW__BATCH_PROVIDER__BATCH_PAGES": json.dumps(
            {"talkifai.batch_job": f"{layout.sandbox_url}/batch-calls/{{batch_id}}"}
        ),
        "AIRFLOW__BATCH_PROVIDER__EXPORT_PAGES": json.dumps(
            {layout.exports.as_uri(): f"{layout.exports_url}/{{path}}"}
        ),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{layout.airflow_url}/execution/",
        # A DAG that is switched on also runs for today, beside the run that was triggered.
        "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "1",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(layout.passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        # Tasks ask the server that also packs the UI's seven megabytes of JavaScript for each new browser.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "PYTHONUNBUFFERED": "1",
    }
