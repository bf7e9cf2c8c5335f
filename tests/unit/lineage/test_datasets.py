"""What a destination is called, in OpenLineage and as an asset."""

from __future__ import annotations

import pytest
from airflow.sdk import Asset

from airflow_batch_provider.lineage.datasets import asset_uri, destination_dataset, vendor_namespace


@pytest.mark.parametrize(
    ("destination", "uri"),
    [
        ("s3://aws_default@raw/talkifai/2026-03-01", "s3://raw/talkifai/2026-03-01"),
        ("s3://raw/talkifai", "s3://raw/talkifai"),
        ("gs://google_cloud_default@raw/jobs", "gs://raw/jobs"),
        ("abfs://wasb_default@container/jobs", "abfs://container/jobs"),
        ("file:///data/exports", "file:///data/exports"),
        ("s3://raw/mail@example.org/jobs", "s3://raw/mail@example.org/jobs"),
        ("s3://raw/what? #1 100%", "s3://raw/what%3F %231 100%"),
        ("s3://raw/Verträge", "s3://raw/Vertr%C3%A4ge"),
    ],
)
def test_the_uri_of_an_asset_is_the_destination_without_its_connection(destination: str, uri: str) -> None:
    assert asset_uri(destination) == uri
    assert Asset(uri).uri == uri, "Airflow would make another one of it"


@pytest.mark.parametrize(
    ("destination", "dataset"),
    [
        ("s3://aws_default@raw/talkifai/jobs", ("s3://raw", "talkifai/jobs")),
        ("s3a://raw/jobs", ("s3://raw", "jobs")),
        ("s3://raw", ("s3://raw", "/")),
        ("gcs://g@raw/jobs", ("gs://raw", "jobs")),
        ("abfs://wasb_default@container/jobs", ("abfs://container", "jobs")),
        ("file:///data/exports", ("file", "/data/exports")),
        ("local:///data/exports", ("file", "/data/exports")),
        ("s3://raw/what?#1", ("s3://raw", "what?#1")),
    ],
)
def test_a_destination_is_named_by_openlineages_rules(destination: str, dataset: tuple[str, str]) -> None:
    assert destination_dataset(destination) == dataset


@pytest.mark.parametrize("scheme", ["abfs", "abfss", "adl"])
def test_a_container_of_azures_is_named_with_its_account(scheme: str) -> None:
    dataset = destination_dataset(f"{scheme}://wasb_default@container/jobs", "lake")
    assert dataset == ("abfss://container@lake.dfs.core.windows.net", "jobs")


@pytest.mark.parametrize(
    ("base_url", "namespace"),
    [
        ("https://api.talkifai.dev", "https://api.talkifai.dev"),
        ("http://127.0.0.1:8800/talkifai", "http://127.0.0.1:8800"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
    ],
)
def test_a_vendors_namespace_is_where_it_is_asked(base_url: str, namespace: str) -> None:
    assert vendor_namespace(base_url) == namespace
