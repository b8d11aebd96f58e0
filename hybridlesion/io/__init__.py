"""Image sources, and reading and writing of uint8 RGB images and masks."""

from hybridlesion.io._decoding import decode_image
from hybridlesion.io._image_files import (
    image_size,
    read_bytes,
    read_image,
    read_mask,
    resize_long_side,
    write_image,
    write_mask,
)
from hybridlesion.io._listing import ImageListing, list_images, scan_images
from hybridlesion.io._locators import (
    image_id_from_path,
    is_address,
    is_table_name,
    join_locator,
    open_address,
    split_locator,
)
from hybridlesion.io._masks import find_masks
from hybridlesion.io._tables import resolve_path

__all__ = [
    "ImageListing",
    "decode_image",
    "find_masks",
    "image_id_from_path",
    "image_size",
    "is_address",
    "is_table_name",
    "join_locator",
    "list_images",
    "open_address",
    "read_bytes",
    "read_image",
    "read_mask",
    "resize_long_side",
    "resolve_path",
    "scan_images",
    "split_locator",
    "write_image",
    "write_mask",
]
