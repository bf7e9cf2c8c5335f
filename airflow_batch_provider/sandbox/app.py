"""The three APIs and a landing page as one ASGI application."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_batch_provider.sandbox import landing
from airflow_batch_provider.sandbox.conversations import Conversations
from airflow_batch_provider.sandbox.faults import Gate, Refused
from airflow_batch_provider.sandbox.journal import Recorder
from airflow_batch_provider.sandbox.llamacloud import LlamaCloud
from airflow_batch_provider.sandbox.llamacloud_configurations import LlamaCloudConfigurations
from airflow_batch_provider.sandbox.llamacloud_directories import LlamaCloudDirectories
from airflow_batch_provider.sandbox.llamacloud_items import LlamaCloudItems
from airflow_batch_provider.sandbox.llamacloud_jobs import LlamaCloudJobs
from airflow_batch_provider.sandbox.llamacloud_results import LlamaCloudResults
from airflow_batch_provider.sandbox.llamacloud_submit import LlamaCloudSubmit
from airflow_batch_provider.sandbox.llamacloud_submitted import LlamaCloudSubmitted
from airflow_batch_provider.sandbox.llamacloud_uploads import LlamaCloudUploads
from airflow_batch_provider.sandbox.playment import Playment
from airflow_batch_provider.sandbox.playment_jobs import PlaymentJobs
from airflow_batch_provider.sandbox.playment_results import PlaymentResults
from airflow_batch_provider.sandbox.playment_submit import PlaymentSubmit
from airflow_batch_provider.sandbox.settings import Settings
from airflow_batch_provider.sandbox.storage import Storage
from airflow_batch_provider.sandbox.talkifai import TalkifAI
from airflow_batch_provider.sandbox.talkifai_calls import TalkifAICalls
from airflow_batch_provider.sandbox.talkifai_submit import TalkifAISubmit
from airflow_batch_provider.sandbox.world import World


def create_app(settings: Settings | None = None, clock: Callable[[], float] = time.time) -> Starlette:
    """Build the sandbox; its time runs from now.

    ``app.state.how_to`` is the landing page, ``app.state.requests`` the latest API requests as texts such as
    ``GET /path?query``, ``app.state.storage`` the application that serves signed URLs, for a socket of its own,
    ``app.state.recorder`` counts what is written.

    :param settings: what to serve and how to behave.
    :param clock: gives Unix seconds; tests pass one that they move by hand.
    """
    settings = settings or Settings()
    world, recorder = World(settings, clock), Recorder()
    storage, gate = Storage(world), Gate(settings, recorder)
    submitted, calls = LlamaCloudSubmitted(world, recorder), TalkifAICalls(world, recorder)
    jobs = PlaymentJobs(world, recorder)
    playment = Playment(world, storage, jobs)
    llamacloud, talkifai = LlamaCloud(world, submitted), TalkifAI(world, calls)
    items = LlamaCloudItems(llamacloud, world, submitted)
    directories = LlamaCloudDirectories(llamacloud, world, storage, submitted)
    vendors = (
        *(playment, llamacloud, talkifai),
        items,
        LlamaCloudResults(llamacloud, world, storage, LlamaCloudJobs(llamacloud, world, submitted), items),
        directories,
        PlaymentResults(playment, world, storage, jobs),
        Conversations(talkifai, world, storage, calls),
    )
    writable = (
        LlamaCloudUploads(llamacloud, submitted, directories, settings.directory_names == "unique"),
        LlamaCloudConfigurations(llamacloud, submitted),
        LlamaCloudSubmit(llamacloud, submitted, directories),
        TalkifAISubmit(talkifai, calls),
        PlaymentSubmit(playment, jobs),
    )
    how_to = landing.how_to(world, playment, llamacloud, talkifai, submitted.configuration_ids)

    async def landing_page(request: Request) -> Response:
        return Response(json.dumps(how_to, indent=2), media_type="application/json")  # to be read in a terminal

    async def journal(request: Request) -> Response:
        return JSONResponse(recorder.view().as_json())

    app = Starlette(
        routes=[
            Route("/", landing_page),
            Route("/batch-calls/{batch_job_id}", talkifai.studio),
            Route("/journal", journal),
            *(route for vendor in vendors for route in gate.routes(vendor)),
            *(route for vendor in writable for route in gate.writable_routes(vendor)),
        ],
        exception_handlers={Refused: _refused, HTTPException: _not_served},
    )
    app.router.redirect_slashes = False
    app.state.how_to, app.state.requests, app.state.storage = how_to, gate.requests, storage
    app.state.recorder = recorder
    return app


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error.response


def _not_served(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
