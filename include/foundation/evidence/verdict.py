"""The gates' verdict on one version, bound by digests to the run manifest, the model file and the report's bytes.

    verdict ── run_manifest ──> RunManifest ── artifacts ──> model.onnx
       └────── reports ──> gates/report.json, gates/report.md

A tag `gate=passed` alone is a word; with this document it stands for something that can be checked. The document is not
signed: who may write to the registry can still write a whole chain.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

from pydantic import ValidationError

from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.evidence.manifest import Part, canonical

TAG = "verdict"


class Verdict(Part):
    """What the gates said.

    Attributes:
        version: of this layout.
        gate: the verdict.
        champion: the version that it was judged against, or `none`.
        run_manifest: SHA-256 of the run manifest, hex.
        model: SHA-256 of the model file, hex.
        reports: artifact of the run -> SHA-256 of its text, hex.
    """

    version: Literal[1] = 1
    gate: Literal["passed", "failed"]
    champion: str
    run_manifest: str
    model: str
    reports: dict[str, str]

    def tags(self) -> dict[str, str]:
        """As a tag of a version."""
        return {TAG: canonical(self.model_dump(mode="json"))}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> "Verdict":
        """Read what `tags` wrote.

        Raises:
            InvalidInput: the tags hold no verdict.
        """
        if TAG not in tags:
            raise InvalidInput("there is no verdict of its gates: run its gate again")
        try:
            return cls.model_validate_json(tags[TAG])
        except ValidationError as error:
            raise InvalidInput(f"its tag {TAG} is not a verdict: {error.error_count()} faults") from error

    def check_report(self, name: str, text: str) -> str:
        """The same text.

        Raises:
            DigestMismatch: it is not the report that the gates wrote.
        """
        actual, written = text_digest(text), self.reports.get(name)
        if actual != written:
            raise DigestMismatch(
                f"{name} has SHA-256 {actual}, the gates wrote {written}: it was changed. Run the gate again"
            )
        return text


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, hex."""
    return hashlib.sha256(text.encode()).hexdigest()
