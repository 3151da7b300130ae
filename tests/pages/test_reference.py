"""docs/configuration.md and docs/cli.md say what settings and commands say of themselves."""

from pathlib import Path

import pytest

from albatross import config
from albatross.pages import reference

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", reference.PAGES)
def test_the_page_is_what_is_generated(name):
    assert (DOCS / f"{name}.md").read_text() == reference.PAGES[name](), "run: make docs"


def test_every_setting_is_on_its_page_with_all_its_sources():
    page = reference.configuration_page()
    for setting in config.settings():
        assert f"## {setting.name}\n" in page
        assert f"`ALBATROSS_{setting.name.upper()}`" in page
        assert (f"`--{setting.name.replace('_', '-')}`" in page) == setting.metadata["flag"]
