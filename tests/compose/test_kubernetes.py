"""The sidecar example is a manifest that Kubernetes takes, by its own schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

SIDECAR = Path(__file__).parent / "sidecar.yaml"


@pytest.fixture
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(SIDECAR.read_text())
    return loaded


def test_the_sidecar_example_is_valid(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, "1.31", strict=True)


def test_a_manifest_with_a_misspelt_field_would_be_refused(manifest: dict[str, Any]) -> None:
    manifest["spec"]["shareProcessNamespaces"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.31", strict=True)
