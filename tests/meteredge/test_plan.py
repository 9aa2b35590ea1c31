"""Plans: few requests, each provable, no two successive ones of one length."""

import itertools
from pathlib import Path

import pytest

from meteredge.plan import Plan, plan_identity, plan_reading
from meteredge.profiles import Profile, ProfileError, load, names
from meteredge.profiles.folder import read_profile

HEAD = """
schema = 1
maker = "Maker"
model = "Model"
phases = [1]
status = "single"
import_energy = "import_energy"
export_energy = "export_energy"
proof = ["voltage"]
"""


def made(tmp_path: Path, text: str) -> Profile:
    path = tmp_path / "made.toml"
    path.write_text(HEAD + text)
    return read_profile(path)


def shape(plan: Plan) -> list[tuple[str, int, int, int]]:
    return [(b.role, b.fc, b.address, b.words) for b in plan.blocks]


@pytest.mark.parametrize("name", names())
def test_successive_requests_differ_in_length_or_are_the_same_question(name: str) -> None:
    blocks = plan_reading(load(name)).blocks
    # The plan is read twice at a slot's close: its last request stands before its first.
    for one, other in itertools.pairwise((*blocks, blocks[0])):
        assert one.words != other.words or (one.fc, one.address) == (other.fc, other.address)


@pytest.mark.parametrize("name", names())
def test_energy_comes_with_its_proof_or_between_two_witnesses_of_other_lengths(name: str) -> None:
    profile = load(name)
    plan = plan_reading(profile)
    for at, block in enumerate(plan.blocks):
        if not {r.name for r in block.registers} & set(profile.energy_registers):
            continue
        if plan.proven_in_one:
            assert set(profile.proof) <= {r.name for r in block.registers}
        else:
            before, after = plan.blocks[at - 1], plan.blocks[at + 1]
            assert before.role == after.role == "witness"
            assert len({before.words, block.words, after.words}) == 3


def test_an_sdm630_is_read_in_one_block_with_serial_and_settings_beside_it() -> None:
    plan = plan_reading(load("sdm630"))
    assert plan.proven_in_one
    assert shape(plan) == [("energy", 4, 0, 76), ("identity", 3, 0xFC00, 2), ("settings", 3, 0x1C, 4)]


def test_a_meter_whose_limit_is_too_small_for_the_voltage_proves_by_frequency() -> None:
    assert shape(plan_reading(load("sdm230")))[0] == ("energy", 4, 0x46, 6)


def test_a_dtsu666_is_read_between_witnesses() -> None:
    plan = plan_reading(load("dtsu666"))
    assert not plan.proven_in_one
    assert [b.role for b in plan.blocks][:5] == ["witness", "energy", "witness", "energy", "witness"]
    assert [hex(b.address) for b in plan.blocks if b.role == "energy"] == ["0x101e", "0x1028"]


def test_the_model_code_is_read_with_the_serial_number() -> None:
    (block,) = plan_identity(load("sdm120"))
    assert {"serial_number", "meter_code"} <= {r.name for r in block.registers}
    assert block.words % 2 == 0


def test_serial_energy_and_proof_share_a_block_where_the_map_allows(tmp_path: Path) -> None:
    profile = made(
        tmp_path,
        """
identity_level = "register"
[registers]
voltage = { fc = 4, address = 0, words = 1, type = "u16", unit = "V" }
import_energy = { fc = 4, address = 1, words = 2, type = "u32", unit = "Wh" }
export_energy = { fc = 4, address = 3, words = 2, type = "u32", unit = "Wh" }
[identity]
serial_number = { fc = 4, address = 5, words = 2, type = "u32" }
""",
    )
    assert shape(plan_reading(profile)) == [("energy", 4, 0, 7)]


@pytest.mark.parametrize(("limit", "words"), [(8, [8]), (7, [2, 5, 3])])
def test_a_block_that_the_meter_would_refuse_for_its_length_is_not_asked_for(
    tmp_path: Path, limit: int, words: list[int]
) -> None:
    profile = made(
        tmp_path,
        f"""
identity_level = "label"
max_registers = {limit}
[registers]
voltage = {{ fc = 4, address = 0, words = 2, type = "u32", unit = "V" }}
current = {{ fc = 4, address = 2, words = 1, type = "u16", unit = "A" }}
import_energy = {{ fc = 4, address = 3, words = 2, type = "u32", unit = "Wh" }}
power = {{ fc = 4, address = 5, words = 1, type = "u16", unit = "W" }}
export_energy = {{ fc = 4, address = 6, words = 2, type = "u32", unit = "Wh" }}
""",
    )
    assert [block.words for block in plan_reading(profile).blocks] == words


@pytest.mark.parametrize(("serial_at", "blocks"), [(12, 1), (60, 2)])
def test_the_serial_number_is_read_with_the_energy_only_where_the_hole_costs_less_than_a_request(
    tmp_path: Path, serial_at: int, blocks: int
) -> None:
    profile = made(
        tmp_path,
        f"""
identity_level = "register"
holes = "zero"
[registers]
voltage = {{ fc = 4, address = 0, words = 1, type = "u16", unit = "V" }}
import_energy = {{ fc = 4, address = 1, words = 2, type = "u32", unit = "Wh" }}
export_energy = {{ fc = 4, address = 3, words = 2, type = "u32", unit = "Wh" }}
[identity]
serial_number = {{ fc = 4, address = {serial_at}, words = 2, type = "u32" }}
""",
    )
    assert len(plan_reading(profile).blocks) == blocks


def test_a_hole_is_read_through_only_where_it_is_cheaper_than_a_request(tmp_path: Path) -> None:
    text = """
identity_level = "label"
holes = "zero"
min_gap_ms = {gap}
continuity = ["one", "two"]
[registers]
voltage = {{ fc = 4, address = 0, words = 1, type = "u16", unit = "V" }}
import_energy = {{ fc = 4, address = 1, words = 2, type = "u32", unit = "Wh" }}
export_energy = {{ fc = 4, address = 3, words = 2, type = "u32", unit = "Wh" }}
[config]
one = {{ fc = 3, address = 0, words = 1, type = "u16" }}
two = {{ fc = 3, address = {second}, words = 2, type = "u32" }}
"""
    near = plan_reading(made(tmp_path, text.format(gap=0, second=8)))
    far = plan_reading(made(tmp_path, text.format(gap=0, second=60)))
    slow = plan_reading(made(tmp_path, text.format(gap=200, second=60)))
    assert (len(near.blocks), len(far.blocks), len(slow.blocks)) == (2, 3, 2)


def test_a_hole_that_answers_an_exception_is_never_read_through(tmp_path: Path) -> None:
    profile = made(
        tmp_path,
        """
identity_level = "label"
[registers]
voltage = { fc = 4, address = 0, words = 1, type = "u16", unit = "V" }
current = { fc = 4, address = 1, words = 1, type = "u16", unit = "A" }
import_energy = { fc = 4, address = 3, words = 4, type = "u64", unit = "Wh" }
export_energy = { fc = 4, address = 7, words = 4, type = "u64", unit = "Wh" }
""",
    )
    assert [(b.address, b.words) for b in plan_reading(profile).blocks] == [(0, 1), (3, 8), (0, 2)]


def test_a_map_that_cannot_be_proven_is_refused_with_the_way_out(tmp_path: Path) -> None:
    profile = made(
        tmp_path,
        """
identity_level = "label"
[registers]
voltage = { fc = 4, address = 0, words = 2, type = "u32", unit = "V" }
import_energy = { fc = 4, address = 4, words = 2, type = "u32", unit = "Wh" }
export_energy = { fc = 4, address = 8, words = 2, type = "u32", unit = "Wh" }
""",
    )
    with pytest.raises(ProfileError, match="name more registers beside"):
        plan_reading(profile)
