"""Attacks on Governance (threats.md G1, G2, G6, G8, X1, X3, X6, X10): each beside the same call unharmed."""

import struct
from collections.abc import Callable, Sequence

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import GovernanceConfig, fetch
from meterchain.deploy import LOADER, program_data_address
from meterchain.embedded import START, EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Lamports, UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Bend = Callable[..., Instruction]

WEEK = 604_800
PAUSE_MAX = 13
BOUNDS = (
    (0, 900, 900), (1, 1, 16), (2, 1, 1_000), (3, 0, 500), (4, 0, 300), (5, 900, 2_592_000), (6, 1, 600), (7, 100, 200),
    (8, 0, 10_000), (9, 0, 300), (10, 0, 300), (11, 1, 100_000), (12, 0, 1), (13, 900, 31_536_000), (14, 0, 2_592_000),
    (15, 3_600, 2_592_000), (16, 0, 10**15), (17, 1, 4_096), (18, 86_400, 2_592_000),
)  # fmt: skip
DEFAULTS = (
    900, 10, 100, 25, 30, 604_800, 60, 120, 1_000, 60, 0, 10, 0, 604_800, 0, 172_800, 1_000_000_000, 1_024, 604_800,
)  # fmt: skip


def start(built: Programs, payer: Pubkey, department: Pubkey) -> Instruction:
    return ix.initialize_governance(
        built, payer, engineering_authority=department, guardian=payer, single_validator=payer, campus_network="campus"
    )


def config(chain: EmbeddedChain, built: Programs) -> GovernanceConfig:
    found = fetch(chain, built, GovernanceConfig, pdas.governance(built))
    assert found is not None
    return found


def paused(chain: EmbeddedChain, built: Programs) -> int:
    """What get_status returns."""
    receipt = chain.simulate([ix.get_status(built)], config(chain, built).engineering_authority)
    status = built["governance"].decode_return("get_status", receipt.return_data)
    assert isinstance(status, dict)
    return int(status["pause_mask"])


# --- X6: initialisation ---


def test_only_the_upgrade_authority_initialises_and_only_once(
    founded: EmbeddedChain, built: Programs, authority: Keypair, stranger: Keypair, refusal: Refusal
) -> None:
    assert refusal([start(built, stranger.pubkey(), stranger.pubkey())], [stranger]) == "Unauthorized"
    receipt = founded.send([start(built, authority.pubkey(), stranger.pubkey())], [authority])
    (event,) = built["governance"].events(receipt)
    assert (event.name, event.fields["engineering_authority"]) == ("GovernanceInitialized", stranger.pubkey())
    found = config(founded, built)
    assert tuple(found.system_parameters[:19]) == DEFAULTS
    assert not any(found.system_parameters[19:])
    again = start(built, authority.pubkey(), authority.pubkey())
    assert refusal([again], [authority]) == "AccountAlreadyInUse"


def test_a_forged_program_data_account_makes_nobody_upgrade_authority(
    founded: EmbeddedChain, built: Programs, authority: Keypair, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    real = program_data_address(built.id("governance"))
    (info,) = founded.accounts([real])
    assert info is not None
    mine = info.data[:13] + bytes(stranger.pubkey()) + info.data[45:]
    forged = Pubkey.new_unique()
    founded.set_account(forged, owner=LOADER, data=mine)
    attack = bend(start(built, stranger.pubkey(), stranger.pubkey()), 1, key=forged)
    assert refusal([attack], [stranger]) == "Unauthorized"
    other_program = program_data_address(built.id("registry"))
    attack = bend(start(built, authority.pubkey(), authority.pubkey()), 1, key=other_program)
    assert refusal([attack], [authority]) == "Unauthorized"
    founded.send([start(built, authority.pubkey(), authority.pubkey())], [authority])


@pytest.mark.parametrize("what", ["no authority", "wrong tag", "other owner", "too short"])
def test_program_data_that_is_not_quite_right_authorises_nobody(
    founded: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal, what: str
) -> None:
    real = program_data_address(built.id("governance"))
    (info,) = founded.accounts([real])
    assert info is not None
    data, owner = bytearray(info.data), LOADER
    if what == "no authority":
        data[12] = 0
    elif what == "wrong tag":
        data[:4] = struct.pack("<I", 2)
    elif what == "too short":
        del data[44:]
    else:
        owner = Pubkey.new_unique()
    founded.set_account(real, owner=owner, data=bytes(data))
    assert refusal([start(built, authority.pubkey(), authority.pubkey())], [authority]) == "Unauthorized"
    founded.set_account(real, owner=LOADER, data=info.data)
    founded.send([start(built, authority.pubkey(), authority.pubkey())], [authority])


@pytest.mark.parametrize("lamports", [1, 10**9])
def test_an_address_that_somebody_prefunded_can_still_be_initialised(
    founded: EmbeddedChain, built: Programs, authority: Keypair, lamports: int
) -> None:
    founded.set_account(pdas.governance(built), owner=Pubkey.default(), data=b"", lamports=Lamports(lamports))
    founded.send([start(built, authority.pubkey(), authority.pubkey())], [authority])
    assert config(founded, built).engineering_authority == authority.pubkey()


def test_the_zero_address_never_becomes_authority(
    founded: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal
) -> None:
    assert refusal([start(built, authority.pubkey(), Pubkey.default())], [authority]) == "Unauthorized"
    founded.send([start(built, authority.pubkey(), authority.pubkey())], [authority])


# --- G1: who may do what ---


def test_each_signer_may_do_its_own_part_and_no_more(
    governed: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    guardian: Keypair,
    validator: Keypair,
    stranger: Keypair,
    refusal: Refusal,
) -> None:
    for key in (guardian, validator, stranger):
        assert refusal([ix.update_parameters(built, key.pubkey(), {3: 30})], [key]) == "Unauthorized"
        assert refusal([ix.emergency_unpause(built, key.pubkey(), 1)], [key]) == "Unauthorized"
    assert refusal([ix.emergency_pause(built, stranger.pubkey(), 1, 0)], [stranger]) == "Unauthorized"
    for bit, key in enumerate((guardian, validator, authority)):
        receipt = governed.send([ix.emergency_pause(built, key.pubkey(), 1 << bit, 7)], [key])
        (event,) = built["governance"].events(receipt)
        assert (event.name, event.fields["by"], event.fields["reason"]) == ("EmergencyPaused", key.pubkey(), 7)
    assert paused(governed, built) == 0b111
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 0b111)], [authority])
    governed.send([ix.update_parameters(built, authority.pubkey(), {3: 30})], [authority])
    assert (paused(governed, built), config(governed, built).system_parameters[3]) == (0, 30)


def test_a_wallet_that_is_no_guardian_because_there_is_none_cannot_pause(
    founded: EmbeddedChain, built: Programs, authority: Keypair, stranger: Keypair, refusal: Refusal
) -> None:
    nobody = Pubkey.default()
    without = ix.initialize_governance(
        built,
        authority.pubkey(),
        engineering_authority=authority.pubkey(),
        guardian=nobody,
        single_validator=nobody,
        campus_network="",
    )
    founded.send([without], [authority])
    assert refusal([ix.emergency_pause(built, stranger.pubkey(), 1, 0)], [stranger]) == "Unauthorized"
    founded.send([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority])


# --- G2: parameters ---


@pytest.mark.parametrize(("number", "low", "high"), BOUNDS)
def test_a_parameter_stays_within_its_hard_bounds(
    governed: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    refusal: Refusal,
    number: int,
    low: int,
    high: int,
) -> None:
    def change(value: int) -> Instruction:
        return ix.update_parameters(built, authority.pubkey(), {number: value})

    for value in (low, high):
        governed.send([change(value)], [authority])
        assert config(governed, built).system_parameters[number] == value
    outside = [high + 1, 2**64 - 1] + ([low - 1] if low else [])
    for value in outside:
        assert refusal([change(value)], [authority]) == "ParamOutOfBounds"
    assert config(governed, built).system_parameters[number] == high


def test_a_pause_without_end_is_the_only_value_below_a_minimum(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal
) -> None:
    governed.send([ix.update_parameters(built, authority.pubkey(), {PAUSE_MAX: 0})], [authority])
    attack = ix.update_parameters(built, authority.pubkey(), {PAUSE_MAX: 1})
    assert refusal([attack], [authority]) == "ParamOutOfBounds"


@pytest.mark.parametrize(
    ("ids", "values"),
    [
        ([19], [1]),
        ([255], [1]),
        ([], []),
        ([3], []),
        ([3], [1, 2]),
        ([3, 4], [1]),
        ([3, 3], [1, 1]),
        ([4, 3, 4], [1, 1, 1]),
        (list(range(1, 10)), list(DEFAULTS[1:10])),
    ],
)
def test_ids_that_do_not_pair_with_values_are_refused_whole(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal, ids: list[int], values: list[int]
) -> None:
    arguments = {"ids": bytes(ids), "values": values}
    attack = built["governance"].instruction("update_parameters", {"authority": authority.pubkey()}, arguments)
    assert refusal([attack], [authority]) == "ParamUnknown"
    assert config(governed, built).params_nonce == 0


def test_eight_parameters_change_at_once_and_one_bad_value_changes_none(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal
) -> None:
    eight = dict(enumerate(DEFAULTS[1:9], start=1)) | {3: 99}
    assert (
        refusal([ix.update_parameters(built, authority.pubkey(), eight | {8: 10_001})], [authority])
        == "ParamOutOfBounds"
    )
    assert config(governed, built).system_parameters[3] == DEFAULTS[3]
    receipt = governed.send([ix.update_parameters(built, authority.pubkey(), eight)], [authority])
    events = built["governance"].events(receipt)
    assert len(events) == 8
    assert dict(events[2].fields) == {"id": 3, "old": DEFAULTS[3], "new": 99, "nonce": 1}


# --- G8: pauses ---


@pytest.mark.parametrize("mask", [0, 0x40, 0x7F, 2**31, 2**32 - 1])
def test_a_mask_that_names_nothing_or_unknown_bits_is_refused(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal, mask: int
) -> None:
    assert refusal([ix.emergency_pause(built, authority.pubkey(), mask, 0)], [authority]) == "BadMask"
    assert refusal([ix.emergency_unpause(built, authority.pubkey(), mask)], [authority]) == "BadMask"
    governed.send([ix.emergency_pause(built, authority.pubkey(), 0x3F, 0)], [authority])
    assert config(governed, built).emergency_pause == 1


def test_a_new_pause_never_revives_an_expired_bit(governed: EmbeddedChain, built: Programs, guardian: Keypair) -> None:
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 0b000001, 0)], [guardian])
    governed.set_unix_time(UnixTime(START + WEEK - 1))
    assert paused(governed, built) == 0b000001
    governed.set_unix_time(UnixTime(START + WEEK))
    assert paused(governed, built) == 0
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 0b000100, 0)], [guardian])
    assert paused(governed, built) == 0b000100
    assert config(governed, built).pause_expires_at == START + 2 * WEEK


def test_an_unpause_does_not_revive_an_expired_bit(
    governed: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair
) -> None:
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 0b11, 0)], [guardian])
    governed.set_unix_time(UnixTime(START + WEEK))
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 0b01)], [authority])
    found = config(governed, built)
    assert (found.pause_mask, found.pause_expires_at) == (0, 0)


def test_a_guardian_never_shortens_the_authoritys_pause(
    governed: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair
) -> None:
    governed.send([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority])
    governed.send([ix.update_parameters(built, authority.pubkey(), {PAUSE_MAX: 900})], [authority])
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 2, 0)], [guardian])
    assert config(governed, built).pause_expires_at == START + WEEK
    governed.set_unix_time(UnixTime(START + WEEK - 1))
    assert paused(governed, built) == 0b11
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 4, 0)], [guardian])
    assert config(governed, built).pause_expires_at == START + WEEK - 1 + 900


def test_a_pause_without_end_stays_without_end(
    governed: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair
) -> None:
    governed.send([ix.update_parameters(built, authority.pubkey(), {PAUSE_MAX: 0})], [authority])
    governed.send([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority])
    governed.send([ix.update_parameters(built, authority.pubkey(), {PAUSE_MAX: 900})], [authority])
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 2, 0)], [guardian])
    assert config(governed, built).pause_expires_at == 0
    governed.set_unix_time(UnixTime(START + 100 * WEEK))
    assert paused(governed, built) == 0b11
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 0b11)], [authority])
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 2, 0)], [guardian])
    assert config(governed, built).pause_expires_at == START + 100 * WEEK + 900


def test_emergency_means_all_six_and_ends_with_the_first_that_resumes(
    governed: EmbeddedChain, built: Programs, authority: Keypair
) -> None:
    governed.send([ix.emergency_pause(built, authority.pubkey(), 0b011111, 0)], [authority])
    assert config(governed, built).emergency_pause == 0
    governed.send([ix.emergency_pause(built, authority.pubkey(), 0b100000, 0)], [authority])
    assert config(governed, built).emergency_pause == 1
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 0b000010)], [authority])
    found = config(governed, built)
    assert (found.emergency_pause, found.pause_mask) == (0, 0b111101)


def test_cure_and_view_work_during_an_emergency(
    governed: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair
) -> None:
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 0x3F, 0)], [guardian])
    governed.send([ix.update_parameters(built, authority.pubkey(), {3: 30})], [authority])
    assert paused(governed, built) == 0x3F
    governed.send([ix.emergency_pause(built, guardian.pubkey(), 1, 0)], [guardian])
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 0x3F)], [authority])
    assert paused(governed, built) == 0


# --- X10: times at the edges ---


@pytest.mark.parametrize("now", [-(2**63), -1, 0])
def test_a_pause_works_at_any_time_that_has_an_end(
    governed: EmbeddedChain, built: Programs, authority: Keypair, now: int
) -> None:
    governed.set_unix_time(UnixTime(now))
    governed.send([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority])
    assert paused(governed, built) == 1
    assert config(governed, built).pause_expires_at == now + WEEK


def test_a_pause_whose_end_lies_beyond_time_is_refused_cleanly(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal
) -> None:
    governed.set_unix_time(UnixTime(2**63 - 1))
    assert refusal([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority]) == "ArithmeticOverflow"
    governed.set_unix_time(UnixTime(2**63 - 1 - WEEK))
    governed.send([ix.emergency_pause(built, authority.pubkey(), 1, 0)], [authority])


# --- X1, X3: another account in its place ---


def test_an_account_that_looks_like_the_config_is_not_it(
    governed: EmbeddedChain, built: Programs, authority: Keypair, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    fields = built["governance"].decode_account("GovernanceConfig", _data(governed, pdas.governance(built)))
    mine = built["governance"].encode_account("GovernanceConfig", fields | {"engineering_authority": stranger.pubkey()})
    unpause = ix.emergency_unpause(built, stranger.pubkey(), 1)
    fake = Pubkey.new_unique()
    governed.set_account(fake, owner=Pubkey.new_unique(), data=mine)
    assert refusal([bend(unpause, 1, key=fake)], [stranger]) == "IllegalOwner"
    governed.set_account(fake, owner=built.id("governance"), data=mine)
    assert refusal([bend(unpause, 1, key=fake)], [stranger]) == "ConstraintAddress"
    governed.send([ix.emergency_unpause(built, authority.pubkey(), 1)], [authority])


def _data(chain: EmbeddedChain, address: Pubkey) -> bytes:
    (info,) = chain.accounts([address])
    assert info is not None
    return info.data
