"""What is asked of a store that the emulators cannot show: generations of Google's, and copies that take a while."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_batch_provider.stores import conditional_writes
from airflow_batch_provider.stores.conditional_writes import conditional_writes_of

gcsfs = pytest.importorskip("gcsfs.core")
adlfs = pytest.importorskip("adlfs")


@pytest.mark.parametrize(("version", "asked"), [(None, "0"), ("1700000000000001", "1700000000000001")])
def test_google_is_asked_to_match_the_generation(
    version: str | None, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[dict[str, Any]] = []

    class Google(gcsfs.GCSFileSystem):  # type: ignore[misc, name-defined]
        async def _call(self, method: str, path: str, *args: Any, **kwargs: Any) -> None:
            requests.append({"method": method, "path": path, **kwargs})

    fs = Google(token="anon", endpoint_url="http://127.0.0.1:1", skip_instance_cache=True)
    kind = conditional_writes_of(fs)
    assert kind
    asyncio.run(kind.put_if(fs, "raw/a b/x", b"1", version))
    assert kind.version({"generation": "5"}) == "5"
    (request,) = requests
    assert request["path"] == "http://127.0.0.1:1/upload/storage/v1/b/raw/o"
    assert (request["method"], request["name"], request["data"]) == ("POST", "a b/x", b"1")
    assert request["ifGenerationMatch"] == asked


class Blob:
    """A blob whose copy is pending for some looks."""

    url = "http://azure.invalid/raw/a"

    def __init__(self, statuses: list[str]) -> None:
        self._statuses = statuses

    async def start_copy_from_url(self, url: str) -> dict[str, str]:
        return {"copy_status": self._statuses.pop(0)}

    async def get_blob_properties(self) -> object:
        return SimpleNamespace(copy=SimpleNamespace(status=self._statuses.pop(0)))


def copy(statuses: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional_writes, "SECONDS_BETWEEN_LOOKS", 0)
    client = SimpleNamespace(get_blob_client=lambda name: Blob(statuses))
    fs = SimpleNamespace(
        split_path=lambda path: (*path.split("/", 1), None),
        service_client=SimpleNamespace(get_container_client=lambda container: client),
    )
    asyncio.run(conditional_writes._copy_on_azure(fs, "raw/a", "raw/b"))


def test_a_copy_that_azure_does_later_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = ["pending", "pending", "success", "never asked"]
    copy(statuses, monkeypatch)
    assert statuses == ["never asked"]


@pytest.mark.parametrize("end", ["failed", "aborted"])
def test_a_copy_that_azure_gives_up_is_an_error(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match=f"ended as {end}"):
        copy(["pending", end], monkeypatch)
