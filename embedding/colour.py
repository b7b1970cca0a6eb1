"""Colours as screens show them: phones and cameras save wider ones than a picture without a profile means."""

from __future__ import annotations

import io

from PIL import Image


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An RGB image whose numbers mean what this ICC profile says, in sRGB.

    As it is without a profile, with one that is not of RGB (pixels were converted without it) or is damaged.
    """
    if not profile:
        return image
    from PIL import ImageCms

    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # also for a profile of grey or of inks
        return image
    assert converted is not None  # only in place there is none
    return converted
