"""The plugin is found, and its files are served with the types and headers that they need."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from airflow import plugins_manager
from fastapi import FastAPI

from airflow_batch_provider.plugin.files import FOLDER

ROOT = Path(__file__).parents[3]
ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["airflow.plugins"]
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
FILES = sorted(path.name for path in FOLDER.iterdir())


@pytest.fixture(scope="module")
def plugin() -> Any:
    """What Airflow makes of the entry point."""
    ((name, value),) = ENTRY_POINTS.items()
    made = EntryPoint(name, value, "airflow.plugins").load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins_manager, "plugins", [], raising=False)  # Airflow 3.1 looks whether it has it already
        assert plugins_manager.is_valid_plugin(made)
    return made()


@pytest.fixture(scope="module")
def url(plugin: Any) -> Iterator[str]:
    """The plugin's application as Airflow mounts it, with a path before it."""
    app = FastAPI(root_path="/airflow")
    for entry in plugin.fastapi_apps:
        app.mount(entry["url_prefix"], entry["app"])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/airflow"
    server.should_exit = True
    thread.join()


def test_the_view_is_one_that_airflow_shows(plugin: Any) -> None:
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse, FastAPIAppResponse

    (view,) = [ExternalViewResponse.model_validate(view) for view in plugin.external_views]
    assert (view.name, view.destination, view.url_route) == ("Batches", "nav", "batches")
    (app,) = plugin.fastapi_apps
    FastAPIAppResponse.model_validate({**app, "app": type(app["app"]).__name__})
    assert view.href.startswith(f"{app['url_prefix'].lstrip('/')}/")


def test_the_view_leads_to_the_page_below_any_path(plugin: Any, url: str) -> None:
    assert "<title>Batches</title>" in requests.get(f"{url}/{plugin.external_views[0]['href']}", timeout=60).text


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_its_type_and_a_strict_policy(url: str, name: str) -> None:
    answer = requests.get(f"{url}/batch-provider/{name}", timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(TYPES[Path(name).suffix])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"


def test_browsers_keep_a_file_until_there_is_another(url: str) -> None:
    first = requests.get(f"{url}/batch-provider/main.js", timeout=60)
    again = requests.get(f"{url}/batch-provider/main.js", headers={"If-None-Match": first.headers["ETag"]}, timeout=60)
    assert again.status_code == 304
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["", "missing.js", "../files.py", "%2e%2e/files.py", "..%2ffiles.py"])
def test_nothing_else_is_served(url: str, path: str) -> None:
    session = requests.Session()
    request = session.prepare_request(requests.Request("GET", url))
    request.url = f"{url}/batch-provider/{path}"  # as it is written, which requests would tidy up
    assert session.send(request, timeout=60).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(url: str, method: str) -> None:
    assert requests.request(method, f"{url}/batch-provider/main.js", timeout=60).status_code == 405


@pytest.mark.parametrize("name", FILES)
def test_a_file_names_no_other_server_and_makes_no_markup_of_text(name: str) -> None:
    source = (FOLDER / name).read_text()
    addresses = set(re.findall(r"https?://[^\s\"'`]+", source))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|DOMParser", source)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_module_imports_what_another_exports(name: str) -> None:
    source = (FOLDER / name).read_text()
    for names, module in re.findall(r"import \{([^}]+)\} from \"\./(\w+\.js)\"", source):
        exported = set(
            re.findall(r"^export (?:async )?(?:const|class|function\*?) (\w+)", (FOLDER / module).read_text(), re.M)
        )
        assert {each.strip() for each in names.split(",") if each.strip()} <= exported


def test_loading_the_plugin_imports_no_web_server() -> None:
    """Workers and DAG processors load it too."""
    script = (
        "import json, sys; from airflow_batch_provider.plugin.batches import BatchesPlugin as plugin; "
        "views = plugin().external_views; "
        "print(json.dumps(sorted({'fastapi', 'starlette', 'uvicorn'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
