"""Steps of the department: parameters, pauses, handing over, and time itself."""

from random import Random

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.soak.shadow import ALL, AUTH_EXPIRY, BOUNDS, NOBODY, TIMELOCK, is_allowed
from tests.soak.world import World

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.units import SLOT_S, UnixTime

VALUES = {
    1: (1, 2, 3, 16, 17), 2: (1, 3, 100, 0), 3: (0, 25, 500, 501), 4: (0, 30, 300), 5: (900, 604_800, 899),
    6: (1, 60, 600), 7: (100, 120, 200, 99), 8: (0, 1_000, 10_000), 9: (0, 60, 300, 301), 10: (0, 60, 300),
    11: (1, 10, 50), 12: (0, 1, 2), 13: (0, 900, 604_800, 899), 14: (0, 60, 600), 15: (3_600, 172_800, 1),
    16: (0, 500_000, 10**9, 10**9, 10**15 + 1), 17: (1, 3, 1_024), 18: (86_400, 604_800), 19: (1,), 255: (0,),
}  # fmt: skip
"""What parameters are set to: values that matter, and some that are not allowed."""
WAITS = (1, 20, 60, 61, 300, 840, 895, 900, 1_800, 3_600)
LONG_WAITS = (86_400, 604_800, 700_000)


def time_passes(world: World, dice: Random) -> bool:
    pick = dice.random()
    seconds = dice.choice(WAITS)
    if pick < 0.4:
        seconds = SLOT_S - world.now % SLOT_S + dice.choice((0, 0, 1, 2, 30))
    elif pick > 0.99:
        seconds = dice.choice(LONG_WAITS)
    world.chain.set_unix_time(UnixTime(world.now + seconds))
    world.chain.next_block()
    world.log.append(f"time_passes {seconds} s")
    world.accepted["time_passes"] += 1
    return True


def update_parameters(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    numbers = dice.sample(sorted(VALUES), dice.choice((1, 1, 2, 3)))
    values = {number: dice.choice(VALUES[number]) for number in numbers}
    why = world.unless_authority(by)
    if any(number >= len(BOUNDS) for number in values):
        why.add("ParamUnknown")
    if any(number < len(BOUNDS) and not is_allowed(number, value) for number, value in values.items()):
        why.add("ParamOutOfBounds")
    call = ix.update_parameters(world.built, by.pubkey(), values)
    if world.attempt(f"update_parameters {values}", [call], by, why):
        for number, value in values.items():
            world.government.params[number] = value
        world.government.nonce += 1
    return True


def restore_parameters(world: World, _dice: Random) -> bool:
    """What keeps a run alive: the values that most often stop everything come back."""
    by, usual = world.government.authority, {1: 16, 5: 604_800, 11: 10, 16: 10**9, 17: 1_024}
    call = ix.update_parameters(world.built, by.pubkey(), usual)
    if world.attempt("restore_parameters", [call], by):
        for number, value in usual.items():
            world.government.params[number] = value
        world.government.nonce += 1
    return True


def pause(world: World, dice: Random) -> bool:
    government = world.government
    by = dice.choice([government.authority, world.guardian, world.stranger, *world.departments])
    mask = dice.choice((0, 1, 2, 4, 8, 16, 16, 32, 32, 48, ALL, 64, dice.randrange(128)))
    entitled = {government.authority.pubkey(), government.guardian, government.validator}
    why = set() if by.pubkey() in entitled else {"Unauthorized"}
    if mask == 0 or mask & ~ALL:
        why.add("BadMask")
    if world.attempt(f"pause {mask}", [ix.emergency_pause(world.built, by.pubkey(), mask, 1)], by, why):
        government.pause(mask, world.now)
    return True


def unpause(world: World, dice: Random) -> bool:
    by = world.guardian if dice.random() < 0.2 else world.decider(dice)
    mask = dice.choice((ALL, ALL, ALL, 1, 2, 4, 8, 16, 32, 0, 64))
    why = world.unless_authority(by)
    if mask == 0 or mask & ~ALL:
        why.add("BadMask")
    if world.attempt(f"unpause {mask}", [ix.emergency_unpause(world.built, by.pubkey(), mask)], by, why):
        world.government.unpause(mask, world.now)
    return True


def propose(world: World, dice: Random) -> bool:
    by, government = world.decider(dice), world.government
    successor: Keypair | None = dice.choice([*world.departments, *world.departments, None])
    why = world.unless_authority(by) | (set() if successor else {"Unauthorized"})
    call = ix.propose_authority(world.built, by.pubkey(), successor.pubkey() if successor else NOBODY)
    if world.attempt("propose", [call], by, why) and successor:
        government.pending = successor
        government.eta = world.now + world.param(TIMELOCK)
        government.expires = government.eta + world.param(AUTH_EXPIRY)
    return True


def accept(world: World, dice: Random) -> bool:
    government, now = world.government, world.now
    by = government.pending if government.pending and dice.random() < 0.8 else dice.choice(world.departments)
    why = set()
    if government.pending is None:
        why.add("NothingPending")
    else:
        why |= set() if by == government.pending else {"Unauthorized"}
        why |= {"TimelockActive"} if now < government.eta else set()
        why |= {"ProposalExpired"} if now >= government.expires else set()
    if world.attempt("accept", [ix.accept_authority(world.built, by.pubkey())], by, why):
        government.authority, government.pending = by, None
    return True


def cancel_proposal(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    why = world.unless_authority(by) | (set() if world.government.pending else {"NothingPending"})
    if world.attempt("cancel_proposal", [ix.cancel_proposal(world.built, by.pubkey())], by, why):
        world.government.pending = None
    return True


def name_a_guardian(world: World, dice: Random) -> bool:
    by, government = world.decider(dice), world.government
    who = dice.choice((world.guardian.pubkey(), world.guardian.pubkey(), NOBODY, world.stranger.pubkey()))
    name, make = dice.choice((("guardian", ix.set_guardian), ("validator", ix.set_single_validator)))
    if world.attempt(f"name_{name}", [make(world.built, by.pubkey(), who)], by, world.unless_authority(by)):
        setattr(government, name, who)
    return True


def list_a_program(world: World, dice: Random) -> bool:
    by, programs = world.decider(dice), world.government.programs
    slot = dice.randrange(9)
    why = world.unless_authority(by)
    if dice.random() < 0.7:
        new = dice.choice([world.built.id(name) for name in world.built] + [world.stranger.pubkey()])
        if slot >= len(programs) or programs[slot] != NOBODY or new in programs:
            why.add("SlotInvalid")
        call, after = ix.add_program(world.built, by.pubkey(), new, slot), new
    else:
        if slot >= len(programs) or programs[slot] == NOBODY:
            why.add("SlotInvalid")
        call, after = ix.remove_program(world.built, by.pubkey(), slot), NOBODY
    if world.attempt(f"list_program {slot}", [call], by, why):
        programs[slot] = after
    return True


def push(world: World, dice: Random) -> bool:
    """Anybody has the authority written into a config of a listed program."""
    filled = [n for n, program in enumerate(world.government.programs) if program != NOBODY]
    slot = dice.choice(filled) if filled and dice.random() < 0.8 else dice.randrange(8)
    listed = world.government.programs[slot]
    names = list(mirrors(world))
    name = next((n for n in names if world.built.id(n) == listed), dice.choice(names))
    config = mirrors(world)[name][1]
    why = set()
    if listed == NOBODY:
        why.add("SlotInvalid")
    elif listed != world.built.id(name):
        why.add("CpiTargetMismatch")
    elif not world.has(name, "set_authority"):
        why.add("InvalidInstructionData")
    by = dice.choice([world.stranger, world.government.authority])
    call = ix.push_authority(world.built, by.pubkey(), world.built.id(name), config, slot)
    if world.attempt(f"push {name}", [call], by, why):
        kind = mirrors(world)[name][0]
        found = world.eyes.account(name, kind, config)
        field = "mint_authority" if name == "energy_token" else "engineering_authority"
        assert found[field] == bytes(world.government.authority.pubkey()), name
    return True


def mirrors(world: World) -> dict[str, tuple[str, Pubkey]]:
    """The configs that mirror the authority: program, type and address."""
    return {
        "registry": ("RegistryConfig", pdas.registry(world.built)),
        "energy_token": ("TokenConfig", pdas.token_config(world.built)),
        "oracle": ("OracleConfig", pdas.oracle(world.built)),
        "trading": ("Market", world.ground.market),
    }
