"""LlamaCloud's saved configurations, read from its "Create Configuration" and "List Configurations" pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.faults import Handler, Refused
from airflow_batch_provider.sandbox.journal import VendorName
from airflow_batch_provider.sandbox.llamacloud import LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_submitted import Configuration, LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_tokens import SUBMITTED, Row, cut, timestamp

CONFIGURATIONS = "/api/v1/beta/configurations"
PRODUCTS = ("classify_v2", "extract_v2", "parse_v2", "split_v1", "spreadsheet_v1", "unknown")
TARGETS = ("per_doc", "per_page", "per_table_row")
MOST_CHARACTERS = 255


class LlamaCloudConfigurations:
    """The endpoints of one project, which has one configuration of each product to begin with.

    :param api: the endpoints of the batches.
    :param submitted: what was written.
    """

    vendor: VendorName = "llamacloud"

    def __init__(self, api: LlamaCloud, submitted: LlamaCloudSubmitted) -> None:
        self._api, self._submitted = api, submitted

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints."""
        return {
            f"POST {CONFIGURATIONS}": self.create,
            CONFIGURATIONS: self.list_all,
            f"{CONFIGURATIONS}/{{id}}": self.get,
        }

    @property
    def creates(self) -> Mapping[str, bool]:
        """None of them creates a batch."""
        return {f"POST {CONFIGURATIONS}": False}

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return self._api.transient_fault(draw)

    def refusal(self, status: int) -> Response:
        """Return LlamaCloud's form of a status."""
        return self._api.refusal(status)

    async def create(self, request: Request) -> Response:
        """Create a configuration, or another version of the one with this name and product; that keeps its id."""
        self._api.check(self._api.admit(request))
        body = await self._api.body(request)
        name = body.text("name", required=True, most=MOST_CHARACTERS)
        parameters = body.part("parameters")
        product = parameters.choice("product_type", PRODUCTS, required=True)
        if product == "extract_v2":
            parameters.mapping("data_schema", required=True)
            parameters.choice("extraction_target", TARGETS)
        self._api.check(body)
        now = self._submitted.now()
        made = self._submitted.add_configuration(str(name), str(product), dict(parameters.fields), now)
        self._submitted.recorder.note("llamacloud", "configurations", made.name)
        return JSONResponse(_row(made), 201)

    async def list_all(self, request: Request) -> Response:
        """List configurations, newest first; each of them in its latest version."""
        query = self._api.admit(request)
        size, name = query.integer("page_size", 50, 1, 100), query.text("name")
        products = query.choices("product_type", PRODUCTS)
        query.flag("latest_only")
        start = self._api.start(query, 0, self._submitted.configurations.count)
        rows: list[tuple[int, Row]] = [
            (SUBMITTED + number, partial(_row, kept))
            for number, kept in self._submitted.configurations.newest_first()
            if number <= start.newest and name in (None, kept.name) and (not products or kept.product_type in products)
        ]
        return self._api.page(*cut(size, rows))

    async def get(self, request: Request) -> Response:
        """Return one configuration."""
        self._api.check(self._api.admit(request))
        text = str(request.path_params["id"])
        if found := self._submitted.find("configuration", "cfg-", text, self._submitted.configurations):
            return JSONResponse(_row(found))
        raise Refused(JSONResponse({"detail": "Configuration not found"}, 404))


def _row(configuration: Configuration) -> dict[str, Any]:
    return {
        "id": configuration.id,
        "name": configuration.name,
        "product_type": configuration.product_type,
        "parameters": configuration.parameters,
        "version": timestamp(configuration.updated),
        "created_at": timestamp(configuration.created),
        "updated_at": timestamp(configuration.updated),
    }
