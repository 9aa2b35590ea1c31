"""Attacks that every instruction of Governance and Registry invites, by table (threats.md X1 to X4, X9 to X16)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.attacks.office import Office

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import MeterStatus, Role, UserStatus, UserType
from meterchain.chain import TransactionFailed
from meterchain.embedded import EmbeddedChain
from meterchain.instructions import MeterAssignment
from meterchain.programs import Programs
from meterchain.units import UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Bend = Callable[..., Instruction]
Assign = Callable[..., list[Instruction]]

CALLS = {
    "initialize_governance": "founded",
    "update_parameters": "governed",
    "emergency_pause": "governed",
    "emergency_unpause": "governed",
    "manage_authorities": "governed",
    "get_status": "governed",
    "initialize_registry": "governed",
    "register_user": "town",
    "set_user_status": "town",
    "assign_meter": "town",
    "set_meter_status": "settled",
    "update_user": "town",
    "set_meter_limits": "settled",
    "set_key_level": "settled",
    "rotate_meter_key": "settled",
    "replace_meter": "resting",
    "rebase_meter": "resting",
    "reassign_meter": "settled",
    "unassign_meter": "retired",
    "verify_user": "town",
    "verify_meter": "settled",
}
"""Each instruction, and the state of the chain in which it succeeds."""
WEEK = 604_800
"""PAUSE_MAX_SECS: a pause set now ends then."""

REGISTRY_WRITE = {
    "register_user", "update_user", "assign_meter", "set_meter_limits", "replace_meter", "rebase_meter",
    "reassign_meter", "unassign_meter",
}  # fmt: skip
"""What bit 0 stops; of these two programs no bit stops anything else."""
PUSHED = "set_authority"
"""Only governance can sign it: test_governance_push.py and test_governance_authorities.py."""

UNITS = {
    "initialize_governance": 2_472,
    "update_parameters": 1_073,
    "emergency_pause": 845,
    "emergency_unpause": 785,
    "get_status": 465,
    "initialize_registry": 2_322,
    "register_user": 3_134,
    "set_user_status": 834,
    "assign_meter": 8_429,
    "set_meter_status": 939,
    "manage_authorities": 919,
    "update_user": 1_001,
    "set_meter_limits": 878,
    "set_key_level": 860,
    "rotate_meter_key": 3_458,
    "replace_meter": 5_504,
    "rebase_meter": 843,
    "reassign_meter": 1_106,
    "unassign_meter": 913,
    "verify_user": 381,
    "verify_meter": 392,
}
"""Compute units of those calls, System's CPIs included; a test holds them to 5 %."""


@dataclass(frozen=True)
class Call:
    """A call that succeeds: what stands before ours, ours, its program's IDL name."""

    name: str
    before: tuple[Instruction, ...]
    ours: Instruction
    program: str
    signers: tuple[Keypair, ...]

    def with_ours(self, ours: Instruction) -> list[Instruction]:
        return [*self.before, ours]


@pytest.fixture(params=CALLS)
def call(
    request: pytest.FixtureRequest,
    built: Programs,
    authority: Keypair,
    stranger: Keypair,
    alice: Keypair,
    bob: Keypair,
    domain: bytes,
    plan: MeterAssignment,
    assign: Assign,
    meter_key: Callable[[str], Keypair],
) -> Call:
    """The call, on a chain where it succeeds; the stranger pays the fee, so that no flag comes from being the payer."""
    name = str(request.param)
    request.getfixturevalue(CALLS[name])
    me = authority.pubkey()
    office = Office(request.getfixturevalue("chain"), built, authority, domain, alice, meter_key)
    makers: dict[str, Callable[[], list[Instruction]]] = {
        "initialize_governance": lambda: [
            ix.initialize_governance(
                built, me, engineering_authority=me, guardian=me, single_validator=me, campus_network="campus"
            )
        ],
        "update_parameters": lambda: [ix.update_parameters(built, me, {3: 30, 4: 40})],
        "emergency_pause": lambda: [ix.emergency_pause(built, me, 1, 0)],
        "emergency_unpause": lambda: [ix.emergency_unpause(built, me, 1)],
        "manage_authorities": lambda: [ix.propose_authority(built, me, alice.pubkey())],
        "get_status": lambda: [ix.get_status(built)],
        "initialize_registry": lambda: [ix.initialize_registry(built, me, "building", domain)],
        "register_user": lambda: [
            ix.register_user(built, me, meter_key("carol").pubkey(), UserType.CONSUMER, Role.STUDENT)
        ],
        "set_user_status": lambda: [ix.set_user_status(built, me, alice.pubkey(), UserStatus.SUSPENDED)],
        "assign_meter": lambda: assign(plan, meter_key("1")),
        "set_meter_status": lambda: [ix.set_meter_status(built, me, "METER_001", MeterStatus.MAINTENANCE)],
        "update_user": lambda: [ix.update_user(built, me, alice.pubkey(), role=Role.FACULTY, location="hall 4")],
        "set_meter_limits": lambda: [office.limits()],
        "set_key_level": lambda: [office.key_level()],
        "rotate_meter_key": lambda: office.rotate("2"),
        "replace_meter": lambda: office.replace("2"),
        "rebase_meter": lambda: [office.rebase()],
        "reassign_meter": lambda: [office.reassign(alice, bob)],
        "unassign_meter": lambda: [office.unassign(alice)],
        "verify_user": lambda: [ix.verify_user(built, alice.pubkey())],
        "verify_meter": lambda: [ix.verify_meter(built, "METER_001")],
    }
    *before, ours = makers[name]()
    program = next(program for program in built if built.id(program) == ours.program_id)
    needed = any(meta.is_signer for meta in ours.accounts)
    return Call(name, tuple(before), ours, program, (stranger, authority) if needed else (stranger,))


@pytest.fixture
def settled(
    town: EmbeddedChain,
    authority: Keypair,
    assign: Assign,
    plan: MeterAssignment,
    meter_key: Callable[[str], Keypair],
) -> EmbeddedChain:
    """`town` with METER_001."""
    town.send(assign(plan, meter_key("1")), [authority])
    return town


@pytest.fixture
def resting(settled: EmbeddedChain, built: Programs, authority: Keypair) -> EmbeddedChain:
    """`settled` with METER_001 in maintenance."""
    move = ix.set_meter_status(built, authority.pubkey(), "METER_001", MeterStatus.MAINTENANCE)
    settled.send([move], [authority])
    return settled


@pytest.fixture
def retired(settled: EmbeddedChain, built: Programs, authority: Keypair) -> EmbeddedChain:
    """`settled` with METER_001 decommissioned."""
    move = ix.set_meter_status(built, authority.pubkey(), "METER_001", MeterStatus.DECOMMISSIONED)
    settled.send([move], [authority])
    return settled


def fresh(chain: EmbeddedChain, call: Call) -> set[int]:
    """The places of accounts that the call creates."""
    found = chain.accounts([meta.pubkey for meta in call.ours.accounts])
    return {
        i for i, (meta, info) in enumerate(zip(call.ours.accounts, found, strict=True)) if meta.is_writable and not info
    }


def test_compute_units_stay_where_they_are(chain: EmbeddedChain, call: Call) -> None:
    units = chain.send(call.with_ours(call.ours), call.signers).compute_units
    assert units == pytest.approx(UNITS[call.name], rel=0.05)


# --- X14: the pause matrix ---


def test_the_matrix_knows_every_instruction(built: Programs) -> None:
    names = {shape["name"] for program in ("governance", "registry") for shape in built[program].raw["instructions"]}
    assert names - {PUSHED} == set(CALLS)
    assert set(CALLS) > REGISTRY_WRITE


def outcome(chain: EmbeddedChain, call: Call) -> str:
    """`done`, or the name of the error; nothing is changed."""
    try:
        chain.simulate(call.with_ours(call.ours), call.signers[0].pubkey())
    except TransactionFailed as refusal:
        return refusal.name
    return "done"


def test_a_pause_stops_what_it_names_until_it_expires_and_nothing_else(
    chain: EmbeddedChain, call: Call, built: Programs, authority: Keypair
) -> None:
    assert outcome(chain, call) == "done"
    if call.name == "initialize_governance":
        return  # there is nothing yet that could be paused
    governance = pdas.governance(built)
    (unpaused,) = chain.accounts([governance])
    assert unpaused is not None
    now = chain.clock().unix_s
    for mask in [1 << bit for bit in range(6)] + [0x3F]:
        chain.set_account(governance, owner=unpaused.owner, data=unpaused.data)
        chain.send([ix.emergency_pause(built, authority.pubkey(), mask, 0)], [authority])
        stopped = mask & 1 and call.name in REGISTRY_WRITE
        assert outcome(chain, call) == ("Paused" if stopped else "done"), mask
    chain.set_unix_time(UnixTime(now + WEEK - 1))
    assert outcome(chain, call) == ("Paused" if call.name in REGISTRY_WRITE else "done")
    chain.set_unix_time(UnixTime(now + WEEK))
    assert outcome(chain, call) == "done"


def test_no_signature_can_be_left_out(
    chain: EmbeddedChain, call: Call, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    for index, meta in enumerate(call.ours.accounts):
        if meta.is_signer:
            attack = call.with_ours(bend(call.ours, index, signer=False))
            assert refusal(attack, [stranger]) == "MissingRequiredSignature", index
    chain.send(call.with_ours(call.ours), call.signers)


def test_a_strangers_signature_is_not_the_authoritys(
    chain: EmbeddedChain, call: Call, stranger: Keypair, refusal: Refusal, bend: Bend
) -> None:
    for index, meta in enumerate(call.ours.accounts):
        if meta.is_signer:
            attack = call.with_ours(bend(call.ours, index, key=stranger.pubkey()))
            expected = "NotOwner" if call.name == "set_meter_status" else "Unauthorized"
            assert refusal(attack, [stranger]) == expected, index
    chain.send(call.with_ours(call.ours), call.signers)


def test_no_account_that_is_written_can_be_passed_read_only(
    chain: EmbeddedChain, call: Call, refusal: Refusal, bend: Bend
) -> None:
    created = fresh(chain, call)
    for index, meta in enumerate(call.ours.accounts):
        if not meta.is_writable:
            continue
        expected = "ConstraintMut"
        if meta.is_signer:
            expected = "MissingRequiredSignature"
        elif index in created:
            expected = "PrivilegeEscalation"
        assert refusal(call.with_ours(bend(call.ours, index, writable=False)), call.signers) == expected, index
    chain.send(call.with_ours(call.ours), call.signers)


def test_the_same_bytes_under_another_owner_are_not_the_account(
    chain: EmbeddedChain, built: Programs, call: Call, refusal: Refusal, bend: Bend
) -> None:
    ours = {built.id(program) for program in built}
    infos = chain.accounts([meta.pubkey for meta in call.ours.accounts])
    for index, info in enumerate(infos):
        if info is None or info.owner not in ours:
            continue
        twin = Pubkey.new_unique()
        chain.set_account(twin, owner=Pubkey.new_unique(), data=info.data)
        assert refusal(call.with_ours(bend(call.ours, index, key=twin)), call.signers) == "IllegalOwner", index
    chain.send(call.with_ours(call.ours), call.signers)


def test_another_type_of_the_same_program_is_not_the_account(
    chain: EmbeddedChain, built: Programs, call: Call, refusal: Refusal, bend: Bend
) -> None:
    ours = {built.id(program) for program in built}
    infos = chain.accounts([meta.pubkey for meta in call.ours.accounts])
    for index, info in enumerate(infos):
        if info is None or info.owner not in ours:
            continue
        cosplay = Pubkey.new_unique()
        for data in (bytes(8) + info.data[8:], b"\xff" * 8 + info.data[8:], info.data[:-1], b""):
            chain.set_account(cosplay, owner=info.owner, data=data)
            name = refusal(call.with_ours(bend(call.ours, index, key=cosplay)), call.signers)
            expected = "InvalidAccountData" if len(data) == len(info.data) else "AccountDataTooSmall"
            assert name == expected, (index, len(data))
    chain.send(call.with_ours(call.ours), call.signers)


def test_a_second_copy_of_a_singleton_is_not_the_singleton(
    chain: EmbeddedChain, built: Programs, call: Call, refusal: Refusal, bend: Bend
) -> None:
    singletons = {pdas.governance(built), pdas.registry(built)}
    infos = chain.accounts([meta.pubkey for meta in call.ours.accounts])
    for index, info in enumerate(infos):
        if info is not None and info.address in singletons:
            twin = Pubkey.new_unique()
            chain.set_account(twin, owner=info.owner, data=info.data)
            attack = call.with_ours(bend(call.ours, index, key=twin))
            assert refusal(attack, call.signers) == "ConstraintAddress", index
    chain.send(call.with_ours(call.ours), call.signers)


def test_programs_and_sysvars_are_the_real_ones(
    chain: EmbeddedChain, built: Programs, call: Call, refusal: Refusal, bend: Bend
) -> None:
    names = built[call.program].account_names(call.name)
    other_program = built.id("governance")
    impostors = (
        ("system_program", Pubkey.new_unique(), "ConstraintExecutable"),
        ("system_program", other_program, "IncorrectProgramId"),
        ("instructions", Pubkey.new_unique(), "InvalidArgument"),
    )
    for name, key, expected in impostors:
        if name in names:
            assert refusal(call.with_ours(bend(call.ours, names.index(name), key=key)), call.signers) == expected
    chain.send(call.with_ours(call.ours), call.signers)


def test_one_account_never_stands_for_two_that_are_written(
    chain: EmbeddedChain, call: Call, refusal: Refusal, bend: Bend
) -> None:
    written = [i for i, meta in enumerate(call.ours.accounts) if meta.is_writable and not meta.is_signer]
    for first in written:
        for second in written:
            if first != second:
                attack = bend(call.ours, second, key=call.ours.accounts[first].pubkey)
                name = refusal(call.with_ours(attack), call.signers)
                assert name == "ConstraintDuplicateMutableAccount", (first, second)
    chain.send(call.with_ours(call.ours), call.signers)


def test_a_new_account_lies_at_its_canonical_address_only(
    chain: EmbeddedChain, call: Call, refusal: Refusal, bend: Bend
) -> None:
    """Whatever the address is: a fresh key, or a PDA of the right seeds under a lower bump."""
    for index in fresh(chain, call):
        attack = call.with_ours(bend(call.ours, index, key=Pubkey.new_unique()))
        assert refusal(attack, call.signers) == "InvalidSeeds", index
        if call.name == "register_user":
            wallet = call.ours.accounts[3].pubkey
            second = _second_address([b"user", bytes(wallet)], call.ours.program_id)
            assert refusal(call.with_ours(bend(call.ours, index, key=second)), call.signers) == "InvalidSeeds"
    chain.send(call.with_ours(call.ours), call.signers)


def _second_address(seeds: list[bytes], program: Pubkey) -> Pubkey:
    canonical = Pubkey.find_program_address(seeds, program)[1]
    for bump in range(canonical - 1, -1, -1):
        try:
            return Pubkey.create_program_address([*seeds, bytes([bump])], program)
        except ValueError:  # on the curve
            continue
    raise AssertionError("no second bump")


def test_too_few_accounts_are_refused(chain: EmbeddedChain, call: Call, refusal: Refusal) -> None:
    for count in range(len(call.ours.accounts)):
        short = Instruction(call.ours.program_id, call.ours.data, list(call.ours.accounts)[:count])
        assert refusal(call.with_ours(short), call.signers[:1] if count == 0 else call.signers) in {
            "NotEnoughAccountKeys",
            "MissingAccount",
        }
    chain.send(call.with_ours(call.ours), call.signers)


def test_data_cut_anywhere_are_refused(chain: EmbeddedChain, call: Call, refusal: Refusal) -> None:
    for size in range(len(call.ours.data)):
        cut = Instruction(call.ours.program_id, bytes(call.ours.data)[:size], call.ours.accounts)
        assert refusal(call.with_ours(cut), call.signers) == "InvalidInstructionData", size
    chain.send(call.with_ours(call.ours), call.signers)


def test_bytes_after_the_arguments_change_nothing(chain: EmbeddedChain, call: Call) -> None:
    """As in Anchor everywhere: they are not read."""
    longer = Instruction(call.ours.program_id, bytes(call.ours.data) + b"\xff" * 9, call.ours.accounts)
    chain.send(call.with_ours(longer), call.signers)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_make_a_program_crash(chain: EmbeddedChain, call: Call, data: st.DataObject) -> None:
    """Whatever follows the discriminator: an error of ours, Anchor's or the runtime's, or success; never a panic."""
    tail = data.draw(st.binary(max_size=len(call.ours.data) + 32))
    mangled = Instruction(call.ours.program_id, bytes(call.ours.data)[:8] + tail, call.ours.accounts)
    assert _outcome(chain, call, mangled) not in {"ProgramFailedToComplete", "ComputationalBudgetExceeded"}


def _outcome(chain: EmbeddedChain, call: Call, ours: Instruction) -> str:
    try:
        chain.simulate(call.with_ours(ours), call.signers[0].pubkey())
    except TransactionFailed as refused:
        return refused.name
    return "ok"


@pytest.mark.parametrize("length", [0xFF, 0x7FFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_vector_longer_than_its_data_is_refused(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal, length: int
) -> None:
    good = ix.update_parameters(built, authority.pubkey(), {3: 30})
    head, count = bytes(good.data)[:8], length.to_bytes(4, "little")
    for data in (head + count, head + count + b"\3", head + b"\1\0\0\0\3" + count + bytes(8)):
        attack = Instruction(good.program_id, data, good.accounts)
        assert refusal([attack], [authority]) == "InvalidInstructionData"
    governed.send([good], [authority])


def test_a_refusal_is_logged_by_name_where_anchors_clients_look(
    governed: EmbeddedChain, built: Programs, authority: Keypair, stranger: Keypair, bend: Bend
) -> None:
    attack = ix.emergency_unpause(built, stranger.pubkey(), 1)
    with pytest.raises(TransactionFailed) as ours:
        governed.send([attack], [stranger])
    message = built["governance"].errors[6000][1]
    line = f"AnchorError occurred. Error Code: Unauthorized. Error Number: 6000. Error Message: {message}."
    assert f"Program log: {line}" in ours.value.logs
    (info,) = governed.accounts([pdas.governance(built)])
    assert info is not None
    twin = Pubkey.new_unique()
    governed.set_account(twin, owner=info.owner, data=info.data)
    with pytest.raises(TransactionFailed) as anchors:
        governed.send([bend(ix.emergency_unpause(built, authority.pubkey(), 1), 1, key=twin)], [authority])
    named = [line for line in anchors.value.logs if "Error Code: ConstraintAddress. Error Number: 2012." in line]
    assert len(named) == 1
    assert not any("AnchorError" in line for line in governed.simulate([ix.get_status(built)], stranger.pubkey()).logs)
