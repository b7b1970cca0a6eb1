"""Conversion of photos to sRGB.

Phones and cameras save wider colour spaces than the one assumed for an image without a profile.
"""

from __future__ import annotations

import io

from PIL import Image


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an RGB image with this ICC profile to sRGB.

    Returns the image unchanged without a profile, with a damaged one, and with one for another colour space
    than RGB (the pixels were converted without it).
    """
    if not profile:
        return image
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # also for a profile of grey or CMYK
        return image
    assert converted is not None  # it is None only for an in-place conversion
    return converted
