"""Our table of parameters says what the program enforces, and what the page for people says."""

import re
from pathlib import Path

from meterchain.accounts import GovernanceConfig, fetch
from meterchain.embedded import EmbeddedChain
from meterchain.parameters import PARAMETERS
from meterchain.site import Site

ROOT = Path(__file__).parents[2]
LAW = ROOT / "programs" / "governance" / "interface" / "src" / "params.rs"
PAGE = ROOT / "docs" / "programs.md"


def test_numbers_names_and_bounds_are_the_program_s() -> None:
    found = re.findall(r"Param(?:::new\(| \{ )(.*?)[)}],?\s*//\s*([A-Z_]+)", LAW.read_text())
    law = [
        (index, name, *(int(number.replace("_", "")) for number in re.findall(r"\b\d[\d_]*", values)))
        for index, (values, name) in enumerate(found)
    ]
    assert law == [(each.id, each.name, each.default, each.least, each.most) for each in PARAMETERS]
    off = [name for values, name in found if "zero_is_off: true" in values]
    assert off == [each.name for each in PARAMETERS if each.zero_is_off]


def test_the_page_has_the_same_numbers() -> None:
    rows = re.findall(r"^\| (\d+) \| ([A-Z_]+) \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [(str(each.id), each.name, f"{each.default:,}") for each in PARAMETERS]


def test_a_fresh_site_has_the_defaults(chain: EmbeddedChain, site: Site) -> None:
    governance = fetch(chain, site.programs, GovernanceConfig, site.governance)
    assert governance is not None
    assert governance.system_parameters[: len(PARAMETERS)] == tuple(each.default for each in PARAMETERS)
    assert all(each.accepts(each.default) for each in PARAMETERS)
