"""What only newer versions of Airflow have."""

from __future__ import annotations

import pytest

from airflow_batch_provider.airflow_version import installed_airflow

AIRFLOW = installed_airflow() or (0, 0)

forms_from_metadata = pytest.mark.skipif(
    AIRFLOW < (3, 2), reason="Airflow reads connection forms from a provider's metadata from 3.2 on"
)
hooks_from_the_task_sdk = pytest.mark.skipif(
    AIRFLOW < (3, 2), reason="connections find their hooks by the task SDK from Airflow 3.2 on"
)
extras_are_not_checked = pytest.mark.skipif(
    AIRFLOW < (3, 2), reason="before 3.2, Airflow finds no connection if its extra is no JSON object"
)
providers_may_be_broken = pytest.mark.skipif(
    AIRFLOW < (3, 2), reason="before 3.2, opening a path imports every provider that pip lists, whole or not"
)
queues_of_event_triggers = pytest.mark.skipif(
    AIRFLOW < (3, 4), reason="a trigger that watches for events has a queue from Airflow 3.4 on"
)
