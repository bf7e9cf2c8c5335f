"""The second origin: files behind signed URLs, served as S3 does; requests with an API key are refused."""

from __future__ import annotations

import hmac
import math
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from airflow_batch_provider.sandbox.content import Blocks, Content
from airflow_batch_provider.sandbox.faults import REQUESTS_KEPT
from airflow_batch_provider.sandbox.world import World, utc

Find = Callable[[str, Request], Content | None]
CREDENTIALS = ("authorization", "x-api-key", "cookie")
COUNTS_KEPT = 10_000
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
MAINTENANCE = "<!DOCTYPE html><title>Maintenance</title><h1>We will be back soon</h1>"


@dataclass
class Ports:
    """Where the two origins listen, which is known only once their sockets are bound."""

    api: int = 80
    files: int = 80


class Counts:
    """How often each of the latest keys was seen."""

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def add(self, key: str) -> int:
        """Count a key once more; return how often it has been seen."""
        self._counts[key] = self._counts.pop(key, 0) + 1
        if len(self._counts) > COUNTS_KEPT:
            self._counts.popitem(last=False)
        return self._counts[key]


class Storage:
    """Signs URLs, and serves what they lead to.

    :param world: settings, seed and clock.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._secret = world.digest("storage secret").encode()
        self._folders: dict[str, Find] = {}
        self._used, self._seen, self._signed = Counts(), Counts(), 0
        self.ports = Ports()
        self.requests: deque[str] = deque(maxlen=REQUESTS_KEPT)

    def add(self, folder: str, find: Find) -> None:
        """Serve what ``find`` returns for a path below a folder; None is answered with 404."""
        self._folders[folder] = find

    def api_url(self, request: Request) -> str:
        """Return the URL of the API, on the host name that the request was sent to."""
        return _origin(request, self.ports.api)

    def files_url(self, request: Request) -> str:
        """Return the URL of this origin, on the host name that the request was sent to."""
        return _origin(request, self.ports.files)

    def url(self, request: Request, path: str) -> str:
        """Return the address of a file, which is of no use without a signature."""
        return f"{self.files_url(request)}/{quote(path)}"

    def sign(self, request: Request, path: str) -> str:
        """Return a URL of a file for a limited time; each is different from all before it."""
        self._signed += 1
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": "SANDBOX/us-east-1/s3/aws4_request",
            "X-Amz-Date": _basic(self._world.now()),
            "X-Amz-Expires": str(self._world.settings.url_seconds),
            "X-Amz-SignedHeaders": "host",
            "x-id": str(self._signed),
        }
        signature = self._signature(f"/{path}", query)
        return f"{self.url(request, path)}?{urlencode({**query, 'X-Amz-Signature': signature})}"

    def _signature(self, path: str, query: dict[str, str]) -> str:
        text = f"GET\n{path}\n{urlencode(sorted(query.items()))}"
        return hmac.new(self._secret, text.encode(), "sha256").hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as an ASGI application."""
        request = Request(scope, receive)
        wanted = request.headers.get("range")
        self.requests.append(f"{request.method} {scope['path']}" + (f" {wanted}" if wanted else ""))
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        if any(name in request.headers for name in CREDENTIALS):
            return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
        query = dict(request.query_params)
        signature = query.pop("X-Amz-Signature", None)
        if signature is None:
            return _error(403, "AccessDenied", "Access Denied")
        path = str(request.scope["path"])
        if request.method != "GET" or not hmac.compare_digest(signature, self._signature(path, query)):
            return _error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match")
        if self._expired(query, signature):
            return _error(403, "AccessDenied", "Request has expired")
        folder, _, name = path[1:].partition("/")
        find = self._folders.get(folder)
        content = find(name, request) if find else None
        if content is None:
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        return self._file(request, path, content)

    def _expired(self, query: dict[str, str], signature: str) -> bool:
        uses = self._world.settings.url_uses or math.inf
        # Both times are compared in the form that is in the URL, in whole seconds.
        seconds = int(query["X-Amz-Expires"])
        return query["X-Amz-Date"] <= _basic(self._world.now() - seconds) or self._used.add(signature) > uses

    def _file(self, request: Request, path: str, content: Content) -> Response:
        fault = self._world.settings.file_fault
        if fault == "html":
            return HTMLResponse(MAINTENANCE)
        if fault == "redirect" and "moved" not in request.query_params:
            return RedirectResponse(self._moved(request, path), 307)
        start, stop, size = 0, content.size, content.size
        headers = {"Content-Type": content.media_type, "ETag": content.etag, "Accept-Ranges": "bytes"}
        wanted = RANGE.fullmatch(request.headers.get("range", ""))
        if wanted and fault != "no-range" and request.headers.get("if-range", content.etag) == content.etag:
            start, stop = _span(wanted[1], wanted[2], size)
            if start >= size:
                return _error(416, "InvalidRange", "The requested range is not satisfiable", f"bytes */{size}")
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        if fault == "no-range":
            del headers["Accept-Ranges"]
        headers["Content-Length"] = str(stop - start + (10 if fault == "length" else 0))
        if fault == "cut" and self._seen.add(path) == 1:
            stop = start + (stop - start) // 2
        return Blocks(content, start, stop, headers)

    def _moved(self, request: Request, path: str) -> str:
        query = dict(request.query_params) | {"moved": "1"}
        query.pop("X-Amz-Signature")
        signature = self._signature(path, query)
        return f"{self.url(request, path[1:])}?{urlencode({**query, 'X-Amz-Signature': signature})}"


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(size - int(last or 0), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def _error(status: int, code: str, message: str, content_range: str | None = None) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    headers = {"Content-Range": content_range} if content_range else None
    return Response(body, status, headers, "application/xml")


def _origin(request: Request, port: int) -> str:
    host = request.url.hostname or "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _basic(seconds: float) -> str:
    """Return a time as signed URLs have it: ``20231114T221320Z``."""
    return re.sub("[-:]", "", utc(int(seconds * 1000))[:-4]) + "Z"
