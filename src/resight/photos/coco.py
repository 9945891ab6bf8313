"""COCO's JSON: pictures, and boxes in them; each box becomes a row as of a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from resight.errors import UnusablePhotos
from resight.photos.rows import Rows
from resight.words import counted

CATEGORY = "category"


def read_json(file: Path) -> dict[str, Any]:
    """A JSON file whose outermost thing is an object.

    Raises:
        UnusablePhotos: it cannot be read, is cut short, or is something else.
    """
    try:
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise UnusablePhotos(f"{file}: {error.strerror or error}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        what = str(error) or "it is nested too deep"
        raise UnusablePhotos(f"{file}: is no JSON file, or one cut short ({what[:100]})") from None
    if not isinstance(value, dict):
        raise UnusablePhotos(f"{file}: is JSON, but not COCO's: it has no images")
    return value


def coco_rows(
    file: Path, columns: Mapping[str, str], say: Callable[[str], None] = lambda words: None
) -> Rows:
    """COCO's annotations as rows: what is known of the annotation, and of its picture.

    The columns are the keys of annotations, of their `attributes`, of the pictures, and
    `category`, the name of the annotation's category. A category is a species or a part of the
    body as often as an individual, so it is one only when `columns` says {"individual":
    "category"}. Where a key stands at several of them, the annotation's own counts.

    Raises:
        UnusablePhotos: not COCO's.
    """
    content = read_json(file)
    images = content.get("images")
    annotations = content.get("annotations")
    if isinstance(images, list) and any(
        isinstance(image, dict) and "detections" in image for image in images[:100]
    ):
        raise UnusablePhotos(
            f"{file}: is MegaDetector's, which says where animals are and not who; give the photos "
            "first, and this file with --boxes"
        )
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise UnusablePhotos(f"{file}: is JSON, but not COCO's: it has no images and annotations")
    pictures = {
        image["id"]: image
        for image in images
        if isinstance(image, dict) and isinstance(image.get("id"), str | int)
    }
    categories = _categories(content)
    names = dict.fromkeys(("file_name", CATEGORY) if categories else ("file_name",))
    shown: set[Any] = set()
    for picture in images:
        if isinstance(picture, dict):
            names.update(dict.fromkeys(key for key in picture if key != "id"))
    for annotation in annotations:
        if isinstance(annotation, dict):
            names.update(dict.fromkeys(key for key in annotation if key != "id"))
            attributes = annotation.get("attributes")
            names.update(dict.fromkeys(attributes if isinstance(attributes, dict) else ()))
            if isinstance(annotation.get("image_id"), str | int):
                shown.add(annotation["image_id"])
    if empty := len(pictures.keys() - shown):
        say(f"{file}: {counted(empty, 'picture')} without an annotation, passed over")
    found = [name for name in names if name not in _OF_COCO or name in columns.values()]
    if "individual" not in columns and CATEGORY in found:
        some = ", ".join(list(dict.fromkeys(map(str, categories.values())))[:4])
        say(
            f"{file}: its categories ({some}) are not taken for individuals; where they are, say "
            "--column individual=category"
        )

    def rows() -> Iterator[tuple[int, Sequence[Any]]]:
        for number, annotation in enumerate(annotations, 1):
            merged: dict[str, Any] = {}
            if isinstance(annotation, dict):
                key = annotation.get("image_id")
                picture = pictures.get(key) if isinstance(key, str | int) else None
                attributes = annotation.get("attributes")
                merged |= picture or {}
                merged |= attributes if isinstance(attributes, dict) else {}
                merged |= annotation
                kind = annotation.get("category_id")
                merged[CATEGORY] = categories.get(kind) if isinstance(kind, str | int) else None
            yield number, [merged.get(name) for name in found]

    return Rows(found, rows(), "annotation")


# What COCO says of no individual: not worth a word that it is not used.
_OF_COCO = frozenset(
    {
        "id", "image_id", "category_id", "license", "flickr_url", "coco_url", "height", "width",
        "area", "iscrowd", "segmentation", "attributes", "keypoints", "num_keypoints", "bbox_mode",
    }
)  # fmt: skip


def _categories(content: Mapping[str, Any]) -> dict[Any, Any]:
    listed = content.get("categories")
    return {
        one["id"]: one.get("name")
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("id"), str | int)
    }
