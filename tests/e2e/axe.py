"""What axe-core finds wrong with a page for people who cannot see or point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_AXE = (Path(__file__).parent / "vendor" / "axe-4.14.1.js").read_text(encoding="utf-8")


def problems(page: Any) -> list[str]:
    """Return the critical and serious findings, each with the elements that it is about."""
    page.evaluate(_AXE)
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:4]]}"
        for one in found
        if one["impact"] in {"critical", "serious"}
    ]
