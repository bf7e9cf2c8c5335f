"""What the sandbox does to requests on purpose: refusals, transient faults and latency."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_batch_provider.sandbox.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]
REQUESTS_KEPT = 10_000


class Refused(Exception):  # noqa: N818 - carries an answer, nothing went wrong here
    """A request that is answered with an error.

    :param response: the answer, in the vendor's own form.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class Vendor(Protocol):
    """One vendor's API."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The endpoints by path: GET, unless another method and a space stand before it."""

    def transient_fault(self, draw: float) -> Response:
        """Give an answer that says "try again"; ``draw``, 0 to 1, chooses where there are several forms."""


class Gate:
    """Stands before every endpoint: records the request, waits, and now and then lets it fail.

    :param settings: latency, failure rate and seed. The same requests in the same order meet the same faults.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._random = random.Random(settings.seed)  # noqa: S311 - repeatable, not secret
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)

    def routes(self, vendor: Vendor) -> list[Route]:
        """Give a vendor's endpoints, each behind the gate."""
        routes = []
        for name, handler in vendor.handlers.items():
            method, _, path = name.rpartition(" ")
            routes.append(Route(path, self._behind(handler, vendor), methods=[method or "GET"]))
        return routes

    def _behind(self, handler: Handler, vendor: Vendor) -> Handler:
        async def answer(request: Request) -> Response:
            query = f"?{request.url.query}" if request.url.query else ""
            self.requests.append(f"{request.method} {request.url.path}{query}")
            fails, form = self._random.random() < self._settings.failure_rate, self._random.random()
            if self._settings.latency:
                await asyncio.sleep(self._settings.latency)
            return vendor.transient_fault(form) if fails else await handler(request)

        return answer
