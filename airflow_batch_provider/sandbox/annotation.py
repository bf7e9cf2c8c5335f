"""What Playment's jobs produce: everything follows from a job's id, so a test can compute it.

The position of a job in its batch decides the shape of its result (``SHAPES``, the same in each 10 jobs) and what
is odd about it: one in 20 is gone, one in 20 is large.
"""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import quote

from airflow_batch_provider.sandbox.content import Content, dumps, filled, png
from airflow_batch_provider.sandbox.world import PERIOD, number_of

Shape = Literal["image", "video", "segmentation"]
SHAPES: dict[int, Shape] = {3: "video", 6: "segmentation"}
EVERY = 20
GONE = 9  # the job is completed, but there is nothing at its address
LARGE = 13  # a video annotation
PUBLIC = 5  # of each 10 jobs: its result is the address of the file, as before 2021, not of the attachment
MASK = "masks"


def shape_of(job_id: str) -> Shape:
    """Return the shape of a job's result."""
    return SHAPES.get(number_of(job_id) % 10, "image")


def is_gone(job_id: str) -> bool:
    """Return whether the result of a completed job cannot be found."""
    return number_of(job_id) % EVERY == GONE


def annotation_count(index: int) -> int:
    """Return how many annotations the result of a completed job has; repeats every PERIOD jobs."""
    return index % PERIOD % 13


def attachment_url(api_url: str, url: str) -> str:
    """Return the address under which the API gives access to a file."""
    return f"{api_url}/v1/attachments?url={quote(url, safe='')}"


def result_of(job_id: str, api_url: str = "", files_url: str = "") -> dict[str, Any]:
    """Return the result of a completed job, but for the filler of a large one.

    :param api_url: where the API listens, on the host name that the job was asked for.
    :param files_url: where the files are; both are part of the addresses of masks.
    """
    numbers, index = range(annotation_count(number_of(job_id))), number_of(job_id)
    shape = shape_of(job_id)
    if shape == "image":
        image = f"https://customer.invalid/images/{index}.jpg?X-Amz-Signature=of-the-customer"
        annotations: dict[str, list[Any]] = {
            "rectangles": [_rectangle(job_id, n) for n in numbers if n % 2 == 0],
            "polygons": [_polygon(job_id, n) for n in numbers if n % 2 == 1],
            "lines": [],
            "cuboids": [],
            "landmarks": [],
        }
        return {"data": {"image_url": image, "annotations": annotations}}
    if shape == "video":
        trackers = [_tracker(job_id, n) for n in numbers]
        frames = [{"frame_id": "f 1", "src": f"https://customer.invalid/frames/{index}.jpg"}]
        return {"data": {"annotation_data": {"annotations": trackers}, "video_data": {"frames": frames}}}
    masks = [_mask(job_id, n, api_url, files_url) for n in numbers]
    return {"data": {"annotations_data": {"annotations": masks}}}


def result_file(job_id: str, api_url: str = "", files_url: str = "", large_bytes: int = 0) -> Content:
    """Return the file with the result of a completed job: JSON.

    :param large_bytes: size of a large result, see :class:`~airflow_batch_provider.sandbox.Settings`.
    """
    written = dumps(result_of(job_id, api_url, files_url))
    if number_of(job_id) % EVERY != LARGE:
        return Content("application/json", written)
    return filled("application/json", written[:-1] + b',"notes":"', b'"}', large_bytes)


def rectangles(job_id: str, count: int) -> list[dict[str, Any]]:
    """Return as many rectangles."""
    return [_rectangle(job_id, number) for number in range(count)]


def mask_of(job_id: str, number: int) -> bytes:
    """Return the PNG of a mask."""
    return png(number, number_of(job_id) % 256, 200)


def _about(job_id: str, number: int) -> dict[str, Any]:
    return {
        "_id": f"{job_id[:8]}-{number}",
        "label": "Fußgänger" if number % 3 else 'car "東京"',
        "attributes": {"occluded": {"value": "no"}, "tags": {"value": ["a", "b"], "state": "editable"}},
    }


def _corner(number: int, x: float, y: float) -> dict[str, float]:
    return {"x": round(x + number / 100, 4), "y": y}


def _rectangle(job_id: str, number: int) -> dict[str, Any]:
    corners = ((0.1, 0.25), (0.5, 0.25), (0.5, 0.75), (0.1, 0.75))
    return {**_about(job_id, number), "coordinates": [_corner(number, x, y) for x, y in corners]}


def _polygon(job_id: str, number: int) -> dict[str, Any]:
    points = {"p1": _corner(number, 0.1, 0.1), "p2": _corner(number, 0.2, 0.1), "p3": _corner(number, 0.2, 0.3)}
    return {**_about(job_id, number), "points": points, "edges": {"e1": ["p1", "p2"], "e2": ["p2", "p3"]}}


def _tracker(job_id: str, number: int) -> dict[str, Any]:
    about = _about(job_id, number)
    return {**about, "type": "rectangle", "frames": {"f 1": _rectangle(job_id, number)}}


def _mask(job_id: str, number: int, api_url: str, files_url: str) -> dict[str, Any]:
    url = f"{files_url}/playment/{job_id}/{MASK}/{number}.png"
    legend = {f"#{number:02x}{number_of(job_id) % 256:02x}c8": {"class": "road", "instance": number}}
    return {
        **_about(job_id, number),
        "frame_id": "f 1",
        "object_id": f"o{number}",
        "url": attachment_url(api_url, url),
        "legend": legend,
    }
