"""metersim.stage.cast: who is on stage follows from the seed."""

from meterchain.accounts import Role
from metersim.stage.cast import PROFILES, cast, wallet

NOON = 1_782_043_200.0


def test_fifteen_meters_of_three_models_for_students_and_faculty() -> None:
    parts = cast(15, 1, NOON)
    assert [part.meter_id for part in parts] == [f"METER_{n:03}" for n in range(1, 16)]
    assert {part.plan.profile for part in parts} == set(PROFILES)
    assert {part.role for part in parts} == {Role.STUDENT, Role.FACULTY}
    assert {part.makes_energy for part in parts} == {True, False}
    assert len({part.plan.serial for part in parts}) == 15


def test_one_seed_is_one_cast() -> None:
    assert cast(15, 1, NOON) == cast(15, 1, NOON)
    assert cast(15, 1, NOON) != cast(15, 2, NOON)


def test_a_larger_cast_begins_with_the_smaller_one() -> None:
    assert cast(15, 1, NOON)[:4] == cast(4, 1, NOON)


def test_every_part_can_be_built_and_stays_within_its_fuse() -> None:
    for part in cast(15, 1, NOON):
        meter = part.plan.build()
        for minute in range(0, 1_440, 7):
            power = meter.moment(NOON + 60 * minute).power
            assert max(power.import_, power.export) <= part.rated_w


def test_wallets_differ_by_seed_and_by_name() -> None:
    assert wallet(1, "a") == wallet(1, "a")
    assert len({wallet(seed, who).pubkey() for seed in (1, 2) for who in ("a", "b")}) == 4
