from __future__ import annotations

from pathlib import Path

from meshsim.lab.scenario_pages import page
from meshsim.mesh.scenario_loader import bundled
from meshsim.mesh.scenario_model import ScenarioModel


def test_the_published_page_is_current(repository: Path) -> None:
    published = (repository / "docs" / "scenarios.md").read_text(encoding="utf-8")
    assert published == page(), "python -m meshsim.lab.scenario_pages > docs/scenarios.md"


def test_the_page_has_every_scenario_and_every_field() -> None:
    text = page()
    assert all(f"\n## {name}\n" in text for name in bundled())
    assert all(f"| `{name}` | " in text for name in ScenarioModel.model_fields)
