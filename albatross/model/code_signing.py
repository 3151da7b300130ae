"""Code signing configurations. Source: Lambda API, `CodeSigningConfig`."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSigningConfig:
    """Whose signatures code must have; kept and shown, never enforced."""

    kind: ClassVar[str] = "code-signing-config"

    arn: str
    name: str  # CodeSigningConfigId
    publishers: tuple[str, ...]  # ARNs of versions of signing profiles
    last_modified: datetime
    untrusted: str = "Warn"  # UntrustedArtifactOnDeployment: Warn or Enforce
    description: str | None = None

    @property
    def parent(self) -> str | None:
        return None
