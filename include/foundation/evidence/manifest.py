"""The run manifest: one canonical JSON document that says what a version was made from and what it showed."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from include.foundation.errors import DigestMismatch, InvalidInput

TAG, DIGEST_TAG = "manifest", "manifest_digest"
TAG_LENGTH = 4000  # MLflow cuts or refuses longer values: 8,000 for runs, 5,000 in older servers


class Part(BaseModel):
    """Frozen; unknown keys are errors, and so are numbers that JSON does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Window(Part):
    """Days of the frozen data, `end` inclusive; validation and holdout start on the days named."""

    start: date
    validation_start: date
    holdout_start: date
    end: date


class Sampled(Part):
    """How many of how many rows a model learnt from, and by what they were chosen."""

    rows: int
    of: int
    by: str

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.rows:,} of {self.of:,} rows before the holdout, {self.by}"


class RunManifest(Part):
    """What a version was made from, what it showed, and which code answers for it.

    Attributes:
        version: of this layout; 1 did not say which code answers.
        use_case: name of the use case.
        spec_digest: SHA-256 of what training read of its spec (of all of it in layout 1).
        snapshots: Iceberg table -> snapshot id, as text: readers of JSON round numbers beyond 2^53.
        window: days of the frozen data.
        commit: commit of the code.
        dirty: whether files differed from it; False outside the sandbox.
        image: image, by digest where there is one, that trained.
        serving_image: image that serves the version.
        feature_code: SHA-256 of the code from a request to the model's input; serving refuses to run other code.
        run_id: MLflow run.
        seed: of every random choice.
        parameters: of the fit, as the model took them.
        parent_version: the champion at that time, if there was one.
        metrics: on the holdout.
        artifacts: file -> SHA-256.
        sample: of the rows before the holdout, where the model did not learn from all; the text has no such key else.
    """

    version: Literal[1, 2] = 2
    use_case: str
    spec_digest: str
    snapshots: dict[str, int | str]
    window: Window
    commit: str
    dirty: bool
    image: str
    serving_image: str | None = None
    feature_code: str | None = None
    run_id: str
    seed: int
    parameters: dict[str, Any]
    parent_version: str | None
    metrics: dict[str, float]
    artifacts: dict[str, str]
    sample: Sampled | None = None

    @model_validator(mode="after")
    def _says_what_its_layout_says(self) -> "RunManifest":
        newer = {self.serving_image is not None, self.feature_code is not None}
        if newer != {self.version > 1} or any(
            isinstance(each, int) != (self.version == 1) for each in self.snapshots.values()
        ):
            raise ValueError("layout 1 has snapshot ids as numbers, 2 as text, and serving_image and feature_code")
        return self

    def json_text(self) -> str:
        """Canonical JSON: sorted keys, no spaces, numbers as Python writes them. Equal manifests are equal text."""
        absent = {"serving_image", "feature_code"} if self.version == 1 else set[str]()
        return canonical(self.model_dump(mode="json", exclude=absent if self.sample else {*absent, "sample"}))

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, hex."""
        return hashlib.sha256(self.json_text().encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> "RunManifest":
        """Read a manifest.

        Raises:
            InvalidInput: it is none (every fault is named).
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidInput(f"not a run manifest: {error}") from error

    def tags(self) -> dict[str, str]:
        """The manifest as tags of an MLflow run or version: `manifest_digest`, and its JSON in `manifest.0`, ..."""
        text = self.json_text()
        pieces = [text[at : at + TAG_LENGTH] for at in range(0, len(text), TAG_LENGTH)]
        return {DIGEST_TAG: self.digest} | {f"{TAG}.{number}": piece for number, piece in enumerate(pieces)}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "RunManifest":
        """Read what `tags` wrote.

        Raises:
            InvalidInput: the tags hold no manifest.
            DigestMismatch: they hold another one than they say.
        """
        pieces: list[str] = []
        while (piece := tags.get(f"{TAG}.{len(pieces)}")) is not None:
            pieces.append(piece)
        manifest = cls.parse("".join(pieces))
        if manifest.digest != tags.get(DIGEST_TAG):
            raise DigestMismatch(f"manifest has digest {manifest.digest}, its tag says {tags.get(DIGEST_TAG)}")
        return manifest


def canonical(value: Any) -> str:
    """Canonical JSON of plain values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(**parts: Any) -> str:
    """SHA-256 of named plain values, hex: the key under which external work is started once and rejoined."""
    return hashlib.sha256(canonical(parts).encode()).hexdigest()
