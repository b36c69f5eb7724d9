"""The UCI set of handwritten digits (NIST's forms, 1,797 images of 8x8 pixels) that scikit-learn ships, in batches.

The set has no dates: a batch of 45 images is a day, in an order drawn by `SEED`. From `SCHEDULE` on, scanners wear:
images are turned by up to so many degrees either way, then blurred (a Gaussian of so many pixels), then lose so much of
their contrast. Every batch has one scan that was sent twice, every seventh one an image that lost its last row.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FIRST, LAST, DEMO_LAST = date(2024, 1, 1), date(2024, 2, 9), date(2024, 1, 28)
ENVIRONMENT = "trainer"
ASKS = "scanned fields"
SEED, BATCH, CUT_EVERY, SIDE, INK = 1797, 45, 7, 8, 16


class Wear(NamedTuple):
    """What a scanner does to an image: degrees, pixels, share of the contrast."""

    rotation: float = 0.0
    blur: float = 0.0
    contrast_loss: float = 0.0


SCHEDULE = {
    date(2024, 1, 30): Wear(rotation=15),
    date(2024, 2, 2): Wear(rotation=25),
    date(2024, 2, 5): Wear(rotation=25, blur=0.6),
    date(2024, 2, 8): Wear(rotation=25, blur=0.6, contrast_loss=0.5),
}


def files() -> dict[str, dict[date, bytes]]:
    """See `Data`."""
    from sklearn.datasets import load_digits

    images, digits = load_digits(return_X_y=True)
    order = _random(0).permutation(len(images))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    days = [FIRST + timedelta(days=n) for n in range(len(batches))]
    return {
        "scans": {
            day: "".join(f"{json.dumps(row)}\n" for row in _rows(day, images[batch], digits[batch])).encode()
            for day, batch in zip(days, batches, strict=True)
        }
    }


def told(row: Mapping[str, Any]) -> str:
    """See `Data`."""
    probabilities = row["answer"]
    said = max(range(len(probabilities)), key=probabilities.__getitem__)
    return f"{row['id']} {row['scanned_at']:%H:%M} UTC  a {said} with {probabilities[said]:.2f}, was a {row['label']}"


def worn(image: "NDArray[np.float64]", wear: Wear, random: "np.random.Generator") -> "NDArray[np.float64]":
    """An image as a worn scanner gives it, 0 to 16, [8, 8]."""
    from scipy import ndimage

    if wear.rotation:
        image = ndimage.rotate(image, random.uniform(-wear.rotation, wear.rotation), reshape=False, order=1)
    if wear.blur:
        image = ndimage.gaussian_filter(image, wear.blur)
    return (image * (1 - wear.contrast_loss)).clip(0, INK)


def _rows(day: date, images: "NDArray[np.float64]", digits: "NDArray[np.int64]") -> Iterator[dict[str, Any]]:
    wear = next((SCHEDULE[since] for since in sorted(SCHEDULE, reverse=True) if since <= day), Wear())
    random, opening = _random(day.toordinal()), datetime.combine(day, clock(8), UTC)
    for number, (image, digit) in enumerate(zip(images, digits, strict=True)):
        at = opening + timedelta(minutes=10 * number)
        pixels = worn(image.reshape(SIDE, SIDE), wear, random).round().astype(int).ravel().tolist()
        row = _row(f"{day:%Y%m%d}-{number:03}", at, pixels, int(digit))
        yield row
        if number == day.toordinal() % BATCH:
            yield row
    if day.toordinal() % CUT_EVERY == 0:
        yield _row(f"{day:%Y%m%d}-{len(images):03}", opening, pixels[:-SIDE], int(digit))


def _row(scan: str, at: datetime, pixels: list[int], digit: int) -> dict[str, Any]:
    image = " ".join(map(str, ("P2", SIDE, SIDE, INK, *pixels)))
    digest = hashlib.sha256(image.encode()).hexdigest()
    keyed_at = at + timedelta(minutes=45)
    return {
        **{"scan": scan, "scanned_at": at.isoformat(), "image": image, "sha256": digest},
        **{"digit": digit, "keyed_at": keyed_at.isoformat()},
    }


def _random(stream: int) -> "np.random.Generator":
    import numpy as np

    return np.random.default_rng([SEED, stream])
