"""Attacks on manage_authorities (threats.md G1, G3, G4, G6, G9, X10, X14): each beside the same call unharmed."""

from collections.abc import Callable, Sequence

import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import GovernanceConfig, fetch
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import AuthorityAction
from meterchain.programs import Programs
from meterchain.units import UnixTime

Refusal = Callable[[Sequence[Instruction], Sequence[Keypair]], str]
Funded = Callable[[str], Keypair]

TIMELOCK, EXPIRY = 14, 15
DAY = 86_400
NOBODY = Pubkey.default()
END_OF_TIME = UnixTime(2**63 - 1)


def config(chain: EmbeddedChain, built: Programs) -> GovernanceConfig:
    found = fetch(chain, built, GovernanceConfig, pdas.governance(built))
    assert found is not None
    return found


def pending(chain: EmbeddedChain, built: Programs) -> tuple[Pubkey, int, int]:
    found = config(chain, built)
    return found.pending_authority, found.pending_eta, found.pending_expires


def manage(built: Programs, signer: Pubkey, action: int, key: Pubkey = NOBODY, slot: int = 0) -> Instruction:
    """Any action with any arguments, as no builder makes it."""
    arguments = {"action": action, "key": key, "slot": slot}
    return built["governance"].instruction("manage_authorities", {"authority": signer}, arguments)


@pytest.fixture
def heir(funded: Funded) -> Keypair:
    """Who shall take over."""
    return funded("heir")


# --- G3: taking over ---


def test_a_proposed_key_takes_over_by_its_own_signature_and_the_old_one_is_out(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, stranger: Keypair, refusal: Refusal
) -> None:
    receipt = governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    (event,) = built["governance"].events(receipt)
    assert dict(event.fields) == {
        "current": authority.pubkey(), "proposed": heir.pubkey(), "eta": START, "expires_at": START + 2 * DAY,
    }  # fmt: skip
    assert config(governed, built).engineering_authority == authority.pubkey()
    for signer in (stranger, authority):
        assert refusal([ix.accept_authority(built, signer.pubkey())], [signer]) == "Unauthorized"
    assert refusal([ix.update_parameters(built, heir.pubkey(), {3: 30})], [heir]) == "Unauthorized"
    (event,) = built["governance"].events(governed.send([ix.accept_authority(built, heir.pubkey())], [heir]))
    assert (event.name, event.fields["old"], event.fields["new"]) == (
        "AuthorityAccepted", authority.pubkey(), heir.pubkey(),
    )  # fmt: skip
    assert config(governed, built).engineering_authority == heir.pubkey()
    assert pending(governed, built) == (NOBODY, 0, 0)
    assert refusal([ix.accept_authority(built, heir.pubkey())], [heir]) == "NothingPending"
    assert refusal([ix.update_parameters(built, authority.pubkey(), {3: 30})], [authority]) == "Unauthorized"
    governed.send([ix.update_parameters(built, heir.pubkey(), {3: 30})], [heir])


@pytest.mark.parametrize("timelock", [0, 1, DAY, 2_592_000])
def test_the_window_opens_after_the_timelock_to_the_second_and_closes_after_the_expiry(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, refusal: Refusal, timelock: int
) -> None:
    eta, expires = START + timelock, START + timelock + 3_600
    governed.send([ix.update_parameters(built, authority.pubkey(), {TIMELOCK: timelock, EXPIRY: 3_600})], [authority])
    propose = ix.propose_authority(built, authority.pubkey(), heir.pubkey())
    accept = ix.accept_authority(built, heir.pubkey())
    governed.send([propose], [authority])
    assert pending(governed, built) == (heir.pubkey(), eta, expires)
    for now, name in ((eta - 1, "TimelockActive"), (expires, "ProposalExpired"), (END_OF_TIME, "ProposalExpired")):
        governed.set_unix_time(UnixTime(now))
        assert refusal([accept], [heir]) == name, now
    for now in (expires - 1, eta):
        governed.set_unix_time(UnixTime(now))
        governed.simulate([accept], heir.pubkey())
    governed.send([accept], [heir])
    assert config(governed, built).engineering_authority == heir.pubkey()


def test_a_lapsed_proposal_is_made_again_and_the_timelock_runs_again(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, refusal: Refusal
) -> None:
    governed.send([ix.update_parameters(built, authority.pubkey(), {TIMELOCK: DAY, EXPIRY: 3_600})], [authority])
    propose = ix.propose_authority(built, authority.pubkey(), heir.pubkey())
    accept = ix.accept_authority(built, heir.pubkey())
    governed.send([propose], [authority])
    governed.advance(DAY + 3_600)
    assert refusal([accept], [heir]) == "ProposalExpired"
    governed.send([propose], [authority])
    assert refusal([accept], [heir]) == "TimelockActive"
    governed.advance(DAY)
    governed.send([accept], [heir])


def test_a_cancelled_proposal_is_none(
    governed: EmbeddedChain, built: Programs, authority: Keypair, guardian: Keypair, heir: Keypair, refusal: Refusal
) -> None:
    cancel = ix.cancel_proposal(built, authority.pubkey())
    assert refusal([cancel], [authority]) == "NothingPending"
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    for signer in (heir, guardian):
        assert refusal([ix.cancel_proposal(built, signer.pubkey())], [signer]) == "Unauthorized"
    (event,) = built["governance"].events(governed.send([cancel], [authority]))
    assert (event.name, event.fields["proposed"]) == ("AuthorityCancelled", heir.pubkey())
    assert refusal([ix.accept_authority(built, heir.pubkey())], [heir]) == "NothingPending"
    assert pending(governed, built) == (NOBODY, 0, 0)
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    governed.send([ix.accept_authority(built, heir.pubkey())], [heir])


def test_a_second_proposal_replaces_the_first(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, stranger: Keypair, refusal: Refusal
) -> None:
    governed.send([ix.update_parameters(built, authority.pubkey(), {TIMELOCK: DAY})], [authority])
    governed.send([ix.propose_authority(built, authority.pubkey(), stranger.pubkey())], [authority])
    governed.advance(DAY)
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    assert refusal([ix.accept_authority(built, stranger.pubkey())], [stranger]) == "Unauthorized"
    assert refusal([ix.accept_authority(built, heir.pubkey())], [heir]) == "TimelockActive"
    governed.advance(DAY)
    governed.send([ix.accept_authority(built, heir.pubkey())], [heir])


def test_a_shorter_timelock_does_not_hasten_what_was_proposed_before(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, refusal: Refusal
) -> None:
    governed.send([ix.update_parameters(built, authority.pubkey(), {TIMELOCK: DAY})], [authority])
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    governed.send([ix.update_parameters(built, authority.pubkey(), {TIMELOCK: 0})], [authority])
    assert refusal([ix.accept_authority(built, heir.pubkey())], [heir]) == "TimelockActive"
    governed.advance(DAY)
    governed.send([ix.accept_authority(built, heir.pubkey())], [heir])


def test_the_zero_key_is_never_proposed(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, refusal: Refusal
) -> None:
    assert refusal([ix.propose_authority(built, authority.pubkey(), NOBODY)], [authority]) == "Unauthorized"
    assert refusal([ix.accept_authority(built, heir.pubkey())], [heir]) == "NothingPending"
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])


def test_a_window_that_lies_beyond_time_is_refused_cleanly(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, refusal: Refusal
) -> None:
    propose = ix.propose_authority(built, authority.pubkey(), heir.pubkey())
    for now in (2**63 - 1, 2**63 - 2 * DAY):
        governed.set_unix_time(UnixTime(now))
        assert refusal([propose], [authority]) == "ArithmeticOverflow"
    for now in (2**63 - 1 - 2 * DAY, -(2**63)):
        governed.set_unix_time(UnixTime(now))
        governed.send([propose], [authority])
    governed.send([ix.accept_authority(built, heir.pubkey())], [heir])


# --- G1: who may do what ---

DECIDES = set(AuthorityAction) - {AuthorityAction.ACCEPT, AuthorityAction.PUSH_AUTHORITY}


@pytest.mark.parametrize("action", sorted(DECIDES))
def test_the_engineering_authority_alone_manages(
    governed: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    guardian: Keypair,
    validator: Keypair,
    stranger: Keypair,
    heir: Keypair,
    refusal: Refusal,
    action: AuthorityAction,
) -> None:
    governed.send([ix.propose_authority(built, authority.pubkey(), heir.pubkey())], [authority])
    governed.send([ix.add_program(built, authority.pubkey(), built.id("registry"), 1)], [authority])
    slot = 1 if action == AuthorityAction.REMOVE_PROGRAM else 0
    for signer in (guardian, validator, stranger, heir):
        attack = manage(built, signer.pubkey(), action, heir.pubkey(), slot)
        assert refusal([attack], [signer]) == "Unauthorized"
    governed.send([manage(built, authority.pubkey(), action, heir.pubkey(), slot)], [authority])


@pytest.mark.parametrize("action", [8, 9, 255])
def test_an_action_that_does_not_exist_is_refused(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal, action: int
) -> None:
    assert refusal([manage(built, authority.pubkey(), action, authority.pubkey())], [authority]) == "InvalidArgument"
    governed.send([manage(built, authority.pubkey(), 0, authority.pubkey())], [authority])


def test_guardian_and_validator_are_exchanged_or_sent_away(
    governed: EmbeddedChain,
    built: Programs,
    authority: Keypair,
    guardian: Keypair,
    validator: Keypair,
    heir: Keypair,
    refusal: Refusal,
) -> None:
    for name, change, old in (
        ("GuardianSet", ix.set_guardian, guardian),
        ("SingleValidatorSet", ix.set_single_validator, validator),
    ):
        governed.send([ix.emergency_pause(built, old.pubkey(), 1, 0)], [old])
        (event,) = built["governance"].events(
            governed.send([change(built, authority.pubkey(), heir.pubkey())], [authority])
        )
        assert (event.name, event.fields["old"], event.fields["new"]) == (name, old.pubkey(), heir.pubkey())
        assert refusal([ix.emergency_pause(built, old.pubkey(), 1, 0)], [old]) == "Unauthorized"
        governed.send([ix.emergency_pause(built, heir.pubkey(), 1, 0)], [heir])
        governed.send([change(built, authority.pubkey())], [authority])
        assert refusal([ix.emergency_pause(built, heir.pubkey(), 1, 0)], [heir]) == "Unauthorized"
    found = config(governed, built)
    assert (found.guardian, found.single_validator) == (NOBODY, NOBODY)


# --- the list of programs ---


def test_a_slot_of_the_list_is_filled_once_and_emptied_once(
    governed: EmbeddedChain, built: Programs, authority: Keypair, refusal: Refusal
) -> None:
    me, registry, oracle = authority.pubkey(), built.id("registry"), built.id("oracle")
    receipt = governed.send([ix.add_program(built, me, registry, 7)], [authority])
    (event,) = built["governance"].events(receipt)
    assert (event.name, event.fields["program"], event.fields["slot"]) == ("ProgramAdded", registry, 7)
    for attack in (
        ix.add_program(built, me, oracle, 7),  # taken
        ix.add_program(built, me, registry, 0),  # listed already
        ix.add_program(built, me, oracle, 8),
        ix.add_program(built, me, oracle, 255),
        ix.add_program(built, me, NOBODY, 0),
        ix.remove_program(built, me, 0),
        ix.remove_program(built, me, 8),
        ix.remove_program(built, me, 255),
    ):
        assert refusal([attack], [authority]) == "SlotInvalid"
    governed.send([ix.add_program(built, me, oracle, 0)], [authority])
    assert (config(governed, built).authorized_count, config(governed, built).authorized_programs) == (
        2, (oracle, *[NOBODY] * 6, registry),
    )  # fmt: skip
    (event,) = built["governance"].events(governed.send([ix.remove_program(built, me, 7)], [authority]))
    assert (event.name, event.fields["program"]) == ("ProgramRemoved", registry)
    assert refusal([ix.remove_program(built, me, 7)], [authority]) == "SlotInvalid"
    assert config(governed, built).authorized_count == 1
    governed.send([ix.add_program(built, me, registry, 3)], [authority])


def test_all_eight_slots_are_usable(governed: EmbeddedChain, built: Programs, authority: Keypair) -> None:
    programs = [Pubkey.new_unique() for _ in range(8)]
    for slot, program in enumerate(programs):
        governed.send([ix.add_program(built, authority.pubkey(), program, slot)], [authority])
    assert config(governed, built).authorized_programs == tuple(programs)
    assert config(governed, built).authorized_count == 8


# --- X14: nothing of this is ever paused ---


@pytest.mark.parametrize("mask", [1 << bit for bit in range(6)] + [0x3F])
def test_an_emergency_stops_no_change_of_authority(
    governed: EmbeddedChain, built: Programs, authority: Keypair, heir: Keypair, mask: int
) -> None:
    me, registry = authority.pubkey(), built.id("registry")
    governed.send([ix.initialize_registry(built, me, "building", bytes(8))], [authority])
    governed.send([ix.emergency_pause(built, me, mask, 0)], [authority])
    for cure in (
        ix.add_program(built, me, registry, 0),
        ix.push_authority(built, me, registry, pdas.registry(built), 0),
        ix.remove_program(built, me, 0),
        ix.set_guardian(built, me, heir.pubkey()),
        ix.set_single_validator(built, me, heir.pubkey()),
        ix.propose_authority(built, me, heir.pubkey()),
        ix.cancel_proposal(built, me),
        ix.propose_authority(built, me, heir.pubkey()),
    ):
        governed.send([cure], [authority])
    governed.send([ix.accept_authority(built, heir.pubkey())], [heir])
    governed.send([ix.emergency_unpause(built, heir.pubkey(), mask)], [heir])
