"""What the sandbox does to requests on purpose: refusals, transient faults, lost answers and latency."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from airflow_batch_provider.sandbox.journal import Recorder, VendorName
from airflow_batch_provider.sandbox.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]
REQUESTS_KEPT = 10_000
CLOSE = "sandbox.close"  # in a scope: a function that closes the connection
REFUSED_OF = 3  # one of so many creates is answered with 429


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


class Writable(Vendor, Protocol):
    """The endpoints of one vendor that change something."""

    @property
    def vendor(self) -> VendorName:
        """Whose they are."""

    @property
    def creates(self) -> Mapping[str, bool]:
        """The keys of those handlers that create something; true: a batch, or what is charged for like one."""

    def refusal(self, status: int) -> Response:
        """Return the vendor's form of an HTTP status with which a create is refused."""


class NoAnswer(Response):
    """Closes the connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close, and wait until the server knows; it would answer 500 if this returned before."""
        scope[CLOSE]()
        while (await receive())["type"] != "http.disconnect":
            pass


class Gate:
    """Stands before every endpoint: records the request, waits, and now and then lets it fail.

    :param settings: latency, rates and seed. The same requests in the same order meet the same faults.
    :param recorder: counts what was refused and lost.
    """

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        self._settings, self._recorder = settings, recorder
        self._random = random.Random(settings.seed)  # noqa: S311 - repeatable, not secret
        self._losses = random.Random(settings.seed)  # noqa: S311 - of its own, so that it shifts no other faults
        self._creates = 0
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)

    def routes(self, vendor: Vendor) -> list[Route]:
        """Give a vendor's endpoints, each behind the gate."""
        return [_route(name, self._behind(handler, vendor)) for name, handler in vendor.handlers.items()]

    def writable_routes(self, vendor: Writable) -> list[Route]:
        """Return a vendor's endpoints that change something, each behind the gate."""
        routes = []
        for name, handler in vendor.handlers.items():
            if name.startswith("POST "):
                handler = self._writing(name, handler, vendor)
            routes.append(_route(name, self._behind(handler, vendor)))
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

    def _writing(self, name: str, handler: Handler, vendor: Writable) -> Handler:
        async def answer(request: Request) -> Response:
            if self._refuses(vendor.creates.get(name)):
                self._recorder.note(vendor.vendor, "refused", name)
                return vendor.refusal(int(self._settings.refuse_creates))
            response = await handler(request)
            lost, form = self._losses.random() < self._settings.lose_answers, self._losses.random()
            if not lost:
                return response
            self._recorder.note(vendor.vendor, "lost", name)
            if form < 0.5 and CLOSE in request.scope:
                return NoAnswer()
            return Response("<h1>Bad gateway</h1>" if form < 0.75 else "", 502 if form < 0.75 else 504)

        return answer

    def _refuses(self, creates: bool | None) -> bool:
        """Tell whether a request is refused.

        :param creates: whether it creates a batch; None: it creates nothing.
        """
        if creates is None or self._settings.refuse_creates == "none":
            return False
        if self._settings.refuse_creates != "429":
            return creates
        self._creates += 1
        return self._creates % REFUSED_OF == 1


def _route(name: str, handler: Handler) -> Route:
    method, _, path = name.rpartition(" ")
    return Route(path, handler, methods=[method or "GET"])
