"""What an Airflow connection says, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_batch_provider.apis.request import Request
from airflow_batch_provider.apis.vendor import Vendor
from airflow_batch_provider.client.settings import Settings
from airflow_batch_provider.exceptions import ConnectionSettingsError
from airflow_batch_provider.hooks.connection import read_extras, read_settings
from airflow_batch_provider.vendors import llamacloud, playment, talkifai

VENDORS = [playment.VENDOR, llamacloud.VENDOR, talkifai.VENDOR]


def settings(vendor: Vendor = playment.VENDOR, extra: dict[str, Any] | None = None, **fields: Any) -> Settings:
    import json

    fields = {"password": "the-key", **fields}
    connection = Connection(conn_id="c", conn_type=vendor.name, extra=json.dumps(extra or {}), **fields)
    return read_settings(vendor, connection, read_extras(vendor, "c", connection.extra_dejson))


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_without_a_host_the_vendor_itself_is_asked(vendor: Vendor) -> None:
    assert settings(vendor).base_url == vendor.base_url
    assert vendor.base_url.startswith("https://")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"host": "http://127.0.0.1:8080/prefix"}, "http://127.0.0.1:8080/prefix"),
        ({"host": "http://127.0.0.1:8080/prefix/"}, "http://127.0.0.1:8080/prefix"),
        ({"host": "https://proxy.example"}, "https://proxy.example"),
        ({"host": "proxy.example"}, "https://proxy.example"),
        ({"host": "proxy.example", "schema": "http", "port": 81}, "http://proxy.example:81"),
        ({"host": "http://proxy.example", "port": 81}, "http://proxy.example:81"),
        ({"host": "http://proxy.example:80", "port": 81}, "http://proxy.example:80"),
        ({"host": "http://[::1]:81"}, "http://[::1]:81"),
        ({"host": "  https://api.playment.io/v1/ "}, "https://api.playment.io"),
    ],
)
def test_the_host_may_be_a_whole_url_or_host_scheme_and_port(fields: dict[str, Any], expected: str) -> None:
    assert settings(**fields).base_url == expected


@pytest.mark.parametrize("pasted", ["/api/v1", "/api/v2", "/api", "/"])
def test_a_pasted_api_path_is_not_doubled(pasted: str) -> None:
    assert settings(llamacloud.VENDOR, host=f"https://x.example{pasted}").base_url == "https://x.example"


def test_a_prefix_of_talkifai_is_kept_because_its_pages_disagree_on_it() -> None:
    assert settings(talkifai.VENDOR, host="https://api.talkifai.dev/v1").base_url == "https://api.talkifai.dev/v1"


@pytest.mark.parametrize("host", ["ftp://x", "http://", "http://x?y=1", "http://x:port", "https://x#y"])
def test_a_host_that_makes_no_url_is_refused(host: str) -> None:
    with pytest.raises(ConnectionSettingsError, match="Host of connection 'c'"):
        settings(host=host)


def test_credentials_in_the_host_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConnectionSettingsError, match="password") as raised:
        settings(host="https://me:sesame@x.example")
    assert "sesame" not in str(raised.value)


@pytest.mark.parametrize("region", ["us", "eu"])
def test_a_region_of_llamacloud_has_its_own_host(region: str) -> None:
    assert settings(llamacloud.VENDOR, {"region": region}).base_url == llamacloud.REGION_URLS[region]


@pytest.mark.parametrize(
    ("vendor", "extra", "headers"),
    [
        (playment.VENDOR, {}, {"x-api-key": "the-key"}),
        (llamacloud.VENDOR, {}, {"Authorization": "Bearer the-key"}),
        (talkifai.VENDOR, {}, {"Authorization": "Bearer the-key"}),
        (talkifai.VENDOR, {"auth_header": "bearer"}, {"Authorization": "Bearer the-key"}),
        (talkifai.VENDOR, {"auth_header": "x-api-key"}, {"x-api-key": "the-key"}),
    ],
)
def test_the_key_goes_into_one_header(vendor: Vendor, extra: dict[str, Any], headers: dict[str, str]) -> None:
    found = settings(vendor, extra)
    assert found.auth(Request("/"), found.credentials, False) == headers


@pytest.mark.parametrize("password", [None, "", "  "])
def test_a_missing_key_says_where_it_belongs(password: str | None) -> None:
    with pytest.raises(
        ConnectionSettingsError, match=r"'c' has no API key\. Set API key \(password\) to the TELUS/Playment key"
    ):
        settings(password=password)


@pytest.mark.parametrize("password", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(ConnectionSettingsError) as raised:
        settings(password=password)
    assert password not in str(raised.value)


def test_the_key_is_in_no_representation() -> None:
    assert "the-key" not in repr(settings())


def test_an_unknown_extra_is_an_error_that_names_it_and_those_known() -> None:
    with pytest.raises(ConnectionSettingsError, match=r"unknown extra 'requests_per_minutes'.*requests_per_minute"):
        settings(extra={"requests_per_minutes": 5})


@pytest.mark.parametrize(
    "extra",
    [
        {"requests_per_minute": 0},
        {"requests_per_minute": "many"},
        {"max_attempts": 101},
        {"max_attempts": 1.5},
        {"read_timeout": 0},
        {"read_timeout": "nan"},
        {"verify_tls": "perhaps"},
        {"region": "mars"},
        {"project_id": ["p"]},
    ],
)
def test_an_extra_of_another_kind_is_an_error_that_names_it(extra: dict[str, Any]) -> None:
    with pytest.raises(ConnectionSettingsError, match=f"Extra '{next(iter(extra))}' of connection 'c'.*allowed is"):
        settings(llamacloud.VENDOR, extra)


def test_extras_may_be_text_as_a_uri_gives_them_and_empty_as_the_form_leaves_them() -> None:
    read = settings(
        extra={"requests_per_minute": "90", "read_timeout": "2.5", "verify_tls": "false", "max_attempts": ""}
    )
    assert (read.requests_per_minute, read.read_timeout, read.verify_tls, read.max_attempts) == (90, 2.5, False, 6)
