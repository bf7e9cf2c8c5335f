"""A provider info that imports Airflow."""

from typing import Any

import airflow.sdk  # noqa: F401 - what must not be

from tests.fourth_vendor.provider_info import get_provider_info as light


def get_provider_info() -> dict[str, Any]:
    return light()
