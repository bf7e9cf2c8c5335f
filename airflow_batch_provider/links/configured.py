"""What Airflow's configuration says of web pages, in its section ``[batch_provider]``."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow.providers.common.compat.sdk import AirflowConfigException, conf

log = logging.getLogger(__name__)

SECTION = "batch_provider"


def pages(option: str) -> Mapping[str, str]:
    """Return a table of web pages. An entry that is none is said in the log and left out: no task fails for a link.

    :param option: its name
    """
    try:
        table = conf.getjson(SECTION, option, fallback={})
    except AirflowConfigException as error:
        log.warning("There are no links from [%s] %s: %s", SECTION, option, error)
        return {}
    if not isinstance(table, dict):
        log.warning("There are no links from [%s] %s: it is no JSON object", SECTION, option)
        return {}
    good = {
        name: page for name, page in table.items() if isinstance(page, str) and page.startswith(("http://", "https://"))
    }
    for name in table.keys() - good.keys():
        log.warning("There is no link from [%s] %s for %r: it is no http or https URL", SECTION, option, name)
    return good
