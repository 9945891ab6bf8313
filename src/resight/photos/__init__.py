"""A photo and what is known of it: the ways in, safe decoding, and the example sets."""

from resight.photos.decode import fit_image, read_image
from resight.photos.photo import Photo
from resight.photos.sources import check_trainable, find_photos, load_pixels, photos_by_individual

__all__ = [
    "Photo",
    "check_trainable",
    "find_photos",
    "fit_image",
    "load_pixels",
    "photos_by_individual",
    "read_image",
]
