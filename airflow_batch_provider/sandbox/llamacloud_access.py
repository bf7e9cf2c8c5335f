"""What all of LlamaCloud's endpoints share: keys, pages, and the form of errors."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_batch_provider.sandbox.bodies import Body, json_object
from airflow_batch_provider.sandbox.content import exact_json
from airflow_batch_provider.sandbox.faults import Refused
from airflow_batch_provider.sandbox.llamacloud_tokens import Start
from airflow_batch_provider.sandbox.query import Query
from airflow_batch_provider.sandbox.world import World

REFUSALS = {
    402: "Insufficient credits",
    409: "The request conflicts with another one",
    429: "Rate limit exceeded",
}


class LlamaCloudAccess:
    """One project.

    :param world: settings and seed.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.api_key = f"llx-sandbox-{world.digest('llamacloud key')}"
        self.project_id = f"prj-{world.uuid('llamacloud project')}"
        self.organization_id = world.uuid("llamacloud organization")

    def transient_fault(self, draw: float) -> Response:
        """Give an overloaded server's answer."""
        return JSONResponse({"detail": "Service temporarily unavailable"}, 503)

    def refusal(self, status: int) -> Response:
        """Return the form of a status with which a create is refused."""
        if status == 422:
            problem = {"type": "value_error", "loc": ["body"], "msg": "The request was refused", "input": None}
            return JSONResponse({"detail": [problem]}, status)
        headers = {"Retry-After": "0"} if status == 429 else None
        return JSONResponse({"detail": REFUSALS[status]}, status, headers)

    def admit(self, request: Request) -> Query:
        """Check the key, and the project if one is given."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or key.strip() != self.api_key:
            raise Refused(JSONResponse({"detail": "Invalid API Key"}, 401))
        query = Query(request)
        for name, ours in (("project_id", self.project_id), ("organization_id", self.organization_id)):
            # Rows carry "prj-<UUID>" while the parameter is declared as a UUID: both are taken.
            if query.text(name) not in (None, ours, ours.removeprefix("prj-")):
                raise Refused(JSONResponse({"detail": f"The API key has no access to this {name}"}, 403))
        return query

    def check(self, asked: Query | Body) -> None:
        """Answer 422 if a parameter or a field was wrong."""
        if asked.problems:
            raise Refused(JSONResponse({"detail": asked.problems}, 422))

    def page(self, items: list[dict[str, Any]], token: str | None) -> Response:
        """Return a page of a listing; no token: the last one."""
        return exact_json({"items": items, **self._world.settings.next_page_token(token), "total_size": None})

    def start(self, query: Query, seeded: int, submitted: int) -> Start:
        """Return where the page that a token asks for begins; answers 422 if a parameter was wrong."""
        start = Start.of(query.text("page_token"), seeded, submitted)
        if start is None:
            query.refuse("page_token", "value_error", "Invalid page token", None)
        self.check(query)
        return start or Start(-1, 0)

    async def body(self, request: Request) -> Body:
        """Return the fields of a JSON body, or answer 422."""
        fields = await json_object(request)
        if fields is None:
            problem = {"type": "json_invalid", "loc": ["body"], "msg": "Input should be a JSON object", "input": None}
            raise Refused(JSONResponse({"detail": [problem]}, 422))
        return Body(fields)
