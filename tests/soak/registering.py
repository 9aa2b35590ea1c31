"""Steps of the registry: who is who, and what hangs where."""

from random import Random

from solders.keypair import Keypair
from tests.soak.shadow import MAX_METERS, REGISTRY_WRITE, Meter, Person
from tests.soak.world import NOT_THERE, World, named, sign

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import KeyLevel, MeterKind, MeterStatus, Role, UserStatus, UserType
from meterchain.ed25519 import Signed, handover_message, possession_message
from meterchain.instructions import MeterAssignment, MeterReplacement
from meterchain.instructions.building import build
from meterchain.units import InstallId, Mwh

IDS = tuple(f"METER_{n:03}" for n in range(1, 7))
SERIALS, KEYS = 12, 400
MODEL = "SDM630"
SLOTS = 16
_WAYS = {
    MeterStatus.ACTIVE: {MeterStatus.MAINTENANCE, MeterStatus.DECOMMISSIONED, MeterStatus.COMPROMISED},
    MeterStatus.MAINTENANCE: {MeterStatus.ACTIVE, MeterStatus.DECOMMISSIONED, MeterStatus.COMPROMISED},
}
TAKEN = "AccountAlreadyInUse"


def anybody(world: World, dice: Random) -> Person:
    return dice.choice(list(world.people.values()))


def some_meter(world: World, dice: Random) -> Meter | None:
    return dice.choice(list(world.meters.values())) if world.meters else None


def register_user(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    new = [person for person in world.people.values() if not person.registered]
    person = dice.choice(new) if new else anybody(world, dice)
    kind = dice.choice((UserType.PROSUMER, UserType.PROSUMER, UserType.CONSUMER))
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE) | ({TAKEN} if person.registered else set())
    call = ix.register_user(world.built, by.pubkey(), person.wallet, kind, Role.STUDENT)
    if world.attempt(f"register_user {person.name} {kind.name}", [call], by, why):
        person.registered, person.user_type, person.status = True, kind, UserStatus.ACTIVE
        world.user_count += 1
    return True


def update_user(world: World, dice: Random) -> bool:
    by, person = world.decider(dice), anybody(world, dice)
    kind = dice.choice((UserType.PROSUMER, UserType.PROSUMER, UserType.PROSUMER, UserType.CONSUMER))
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE) | (set() if person.registered else NOT_THERE)
    call = ix.update_user(world.built, by.pubkey(), person.wallet, user_type=kind)
    if world.attempt(f"update_user {person.name} {kind.name}", [call], by, why):
        person.user_type = kind
    return True


def set_user_status(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    idle = [person for person in world.people.values() if person.registered and not person.is_active]
    mend = bool(idle) and dice.random() < 0.85
    person = dice.choice(idle) if mend else anybody(world, dice)
    status = UserStatus.ACTIVE if mend else dice.choice((UserStatus.ACTIVE, UserStatus.SUSPENDED, UserStatus.REVOKED))
    why = world.unless_authority(by) | (set() if person.registered else NOT_THERE)
    if person.registered and person.status == status:
        why.add("BadStatusTransition")
    call = ix.set_user_status(world.built, by.pubkey(), person.wallet, status)
    if world.attempt(f"set_user_status {person.name} {status.name}", [call], by, why):
        person.status = status
    return True


def a_key(world: World, dice: Random) -> Keypair:
    """Mostly one that nobody had."""
    key = named(f"meter key {dice.randrange(KEYS)}")
    return key if dice.random() < 0.2 or bytes(key.pubkey()) not in world.keys else named(f"meter key {dice.random()}")


def proof(
    world: World, dice: Random, key: Keypair, meter_id: str, person: Person, install: int
) -> tuple[Signed, set[str]]:
    """A proof of possession, sometimes of something else; why it is refused then."""
    signed_id, why = meter_id, set()
    if dice.random() < 0.05:
        signed_id, why = "METER_999", {"InvalidSignature", "BadProofOfPossession"}
    message = possession_message(world.domain, signed_id, person.wallet, InstallId(install))
    return sign(key, message), why


def assign_meter(world: World, dice: Random) -> bool:
    by, person = world.decider(dice), anybody(world, dice)
    free = [meter_id for meter_id in IDS if meter_id not in world.meters]
    meter_id = dice.choice(free) if free and dice.random() < 0.8 else dice.choice(IDS)
    kind = dice.choice((MeterKind.BIDIRECTIONAL, MeterKind.BIDIRECTIONAL, MeterKind.GENERATION_ONLY,
                        MeterKind.CONSUMPTION_ONLY))  # fmt: skip
    modulus = dice.choice((0, 0, 20_000_000))
    return assign(world, dice, by, person, meter_id, kind, modulus)


def assign(
    world: World, dice: Random, by: Keypair, person: Person, meter_id: str, kind: MeterKind, modulus: int
) -> bool:
    key, serial = a_key(world, dice), f"SN-{dice.randrange(SERIALS)}"
    baseline = (dice.randrange(10_000_000), dice.randrange(10_000_000))
    possession, flawed = proof(world, dice, key, meter_id, person, 1)
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE) | flawed
    why |= set() if person.registered else NOT_THERE
    why |= {"UserInactive"} if person.registered and not person.is_active else set()
    if meter_id in world.meters or bytes(key.pubkey()) in world.keys or serial in world.serials:
        why.add(TAKEN)
    if len(person.meters) >= min(world.param(MAX_METERS), SLOTS):
        why.add("TooManyMeters")
    plan = MeterAssignment(
        meter_id, person.wallet, kind, 5_000, 10_000, 10, Mwh(baseline[0]), Mwh(baseline[1]), serial, MODEL, "hall",
        register_modulus_mwh=Mwh(modulus),
    )  # fmt: skip
    wanted = ix.assign_meter(world.built, by.pubkey(), world.domain, plan, possession)
    if world.attempt(f"assign_meter {meter_id} to {person.name}", wanted, by, why):
        address = pdas.meter(world.built, meter_id)
        world.meters[meter_id] = Meter(
            meter_id, len(world.meters) + 1, kind, person.name, key, address, pdas.meter_state(world.built, address),
            serial, world.now, baseline, modulus=modulus,
        )  # fmt: skip
        world.keys[bytes(key.pubkey())] = world.serials[serial] = meter_id
        person.meters.add(meter_id)
    return True


def set_meter_status(world: World, dice: Random) -> bool:
    meter = some_meter(world, dice)
    if meter is None:
        return False
    owner = world.owner(meter).key
    by = dice.choice((owner, world.stranger)) if dice.random() < 0.2 else world.decider(dice)
    status = dice.choice((MeterStatus.ACTIVE, MeterStatus.MAINTENANCE, MeterStatus.MAINTENANCE))
    if dice.random() < 0.2:
        status = dice.choice(list(MeterStatus))
    if status is MeterStatus.DECOMMISSIONED and dice.random() < 0.7:
        status = MeterStatus.MAINTENANCE
    move(world, meter, by, status)
    return True


def move(world: World, meter: Meter, by: Keypair, status: MeterStatus) -> None:
    """set_meter_status."""
    owner, why = world.owner(meter).key, set[str]()
    if world.unless_authority(by):
        if by != owner:
            why.add("NotOwner")
        elif (meter.status, status) != (MeterStatus.ACTIVE, MeterStatus.MAINTENANCE):
            why.add("Unauthorized")
    if status not in _WAYS.get(meter.status, set()):
        why.add("BadStatusTransition")
    call = ix.set_meter_status(world.built, by.pubkey(), meter.meter_id, status)
    if world.attempt(f"set_meter_status {meter.meter_id} {status.name}", [call], by, why):
        meter.status = status


def set_meter_limits(world: World, dice: Random) -> bool:
    meter, by = some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    watts = (dice.choice((0, 100, 5_000, 1_000_000, 1_000_001)), dice.choice((100, 10_000)))
    resolution, modulus = dice.choice((1, 10, 1_000_000, 0)), dice.choice((0, 20_000_000, 5_000_000))
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE)
    if max(watts) > 1_000_000 or not resolution or (modulus and max(meter.baseline) >= modulus):
        why.add("LimitOutOfBounds")
    call = ix.set_meter_limits(
        world.built, by.pubkey(), meter.meter_id, max_export_w=watts[0], max_import_w=watts[1],
        resolution_mwh=resolution, register_modulus_mwh=Mwh(modulus),
    )  # fmt: skip
    if world.attempt(f"set_meter_limits {meter.meter_id} {watts} {resolution} {modulus}", [call], by, why):
        meter.max_w, meter.resolution, meter.modulus = watts, resolution, modulus
    return True


def set_key_level(world: World, dice: Random) -> bool:
    meter, by = some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    key, level = dice.choice((meter.key, meter.key, a_key(world, dice))), dice.randrange(5)
    why = world.unless_authority(by)
    if level not in set(KeyLevel):
        why.add("LimitOutOfBounds")
    if key != meter.key:
        why.add("NotOwner")
    accounts = {"authority": by.pubkey(), "meter": meter.address}
    call = build(world.built, "registry", "set_key_level", accounts, {"meter_key": key.pubkey(), "level": level})
    if world.attempt(f"set_key_level {meter.meter_id} {level}", [call], by, why):
        meter.key_level = level
    return True


def _new_key_flaws(world: World, by: Keypair, key: Keypair, meter: Meter) -> set[str]:
    why = world.unless_authority(by) | ({TAKEN} if bytes(key.pubkey()) in world.keys else set())
    return why | ({"ConstraintDuplicateMutableAccount"} if key == meter.key else set())


def rotate_meter_key(world: World, dice: Random) -> bool:
    meter, by = some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    key, person = a_key(world, dice), world.owner(meter)
    possession, flawed = proof(world, dice, key, meter.meter_id, person, meter.install)
    why = _new_key_flaws(world, by, key, meter) | flawed
    if meter.status is MeterStatus.DECOMMISSIONED:
        why.add("BadStatusTransition")
    handover = handover_message(world.domain, meter.meter_id, key.pubkey(), InstallId(meter.install))
    consent = sign(meter.key, handover) if dice.random() < 0.5 else None
    wanted = ix.rotate_meter_key(
        world.built, by.pubkey(), world.domain, meter.meter_id, person.wallet, InstallId(meter.install),
        old_key=meter.key.pubkey(), possession=possession, consent=consent,
    )  # fmt: skip
    if world.attempt(f"rotate_meter_key {meter.meter_id}", wanted, by, why):
        meter.key, meter.key_rotated_at, meter.key_level = key, world.now, 0
        world.keys[bytes(key.pubkey())] = meter.meter_id
    return True


def replace_meter(world: World, dice: Random) -> bool:
    due = [m for m in world.meters.values() if m.status in (MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED)]
    meter, by = dice.choice(due) if due and dice.random() < 0.8 else some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    put_another_device(world, dice, meter, by)
    return True


def put_another_device(world: World, dice: Random, meter: Meter, by: Keypair) -> None:
    """replace_meter, with a proof of possession that is sometimes of something else."""
    key, person, install = a_key(world, dice), world.owner(meter), meter.install + 1
    serial = dice.choice((meter.serial, f"SN-{dice.randrange(SERIALS)}"))
    baseline = (dice.randrange(10_000_000), dice.randrange(10_000_000))
    possession, flawed = proof(world, dice, key, meter.meter_id, person, install)
    why = _new_key_flaws(world, by, key, meter) | world.unless(REGISTRY_WRITE) | flawed
    if meter.status not in (MeterStatus.MAINTENANCE, MeterStatus.COMPROMISED):
        why.add("BadStatusTransition")
    if world.serials.get(serial, meter.meter_id) != meter.meter_id:
        why.add("NotOwner")
    if meter.modulus and max(baseline) >= meter.modulus:
        why.add("LimitOutOfBounds")
    device = MeterReplacement(serial, MODEL, Mwh(0), Mwh(0), Mwh(baseline[0]), Mwh(baseline[1]))
    wanted = ix.replace_meter(
        world.built, by.pubkey(), world.domain, meter.meter_id, person.wallet, InstallId(install),
        old_key=meter.key.pubkey(), replacement=device, possession=possession,
    )  # fmt: skip
    if world.attempt(f"replace_meter {meter.meter_id}", wanted, by, why):
        if meter.status is MeterStatus.COMPROMISED:
            meter.forfeit = install
        meter.key, meter.install, meter.serial, meter.baseline = key, install, serial, baseline
        meter.baseline_ts, meter.key_rotated_at, meter.status = world.now, world.now, MeterStatus.ACTIVE
        meter.key_level = 0
        world.keys[bytes(key.pubkey())] = world.serials[serial] = meter.meter_id


def rebase_meter(world: World, dice: Random) -> bool:
    due = [m for m in world.meters.values() if m.status is MeterStatus.MAINTENANCE]
    meter, by = dice.choice(due) if due and dice.random() < 0.8 else some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    rebase(world, meter, by, (dice.randrange(10_000_000), dice.randrange(10_000_000)))
    return True


def rebase(world: World, meter: Meter, by: Keypair, baseline: tuple[int, int]) -> None:
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE)
    if meter.status is not MeterStatus.MAINTENANCE:
        why.add("BadStatusTransition")
    if meter.modulus and max(baseline) >= meter.modulus:
        why.add("LimitOutOfBounds")
    call = ix.rebase_meter(world.built, by.pubkey(), meter.meter_id, Mwh(baseline[0]), Mwh(baseline[1]), 3)
    if world.attempt(f"rebase_meter {meter.meter_id}", [call], by, why):
        meter.install, meter.baseline, meter.baseline_ts = meter.install + 1, baseline, world.now


def reassign_meter(world: World, dice: Random) -> bool:
    """To anybody; or back, as until sync_owner the oracle refuses the records of a meter that changed hands."""
    away = [meter for meter in world.meters.values() if meter.state and meter.state.owner != meter.owner]
    meter, by, new = some_meter(world, dice), world.decider(dice), anybody(world, dice)
    if away and dice.random() < 0.7:
        meter = dice.choice(away)
    if meter is None:
        return False
    if meter.state and meter.state.owner != meter.owner and dice.random() < 0.8:
        new = world.people[meter.state.owner]  # back to whom the oracle still pays
    if not new.registered:
        return False
    reassign(world, meter, by, new)
    return True


def reassign(world: World, meter: Meter, by: Keypair, new: Person) -> None:
    old = world.owner(meter)
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE)
    if meter.status is MeterStatus.DECOMMISSIONED:
        why.add("BadStatusTransition")
    if not new.is_active:
        why.add("UserInactive")
    if old is new:
        why |= {"ConstraintDuplicateMutableAccount", "TooManyMeters"}
    elif len(new.meters) >= min(world.param(MAX_METERS), SLOTS):
        why.add("TooManyMeters")
    call = ix.reassign_meter(world.built, by.pubkey(), meter.meter_id, old.wallet, new.wallet)
    if world.attempt(f"reassign_meter {meter.meter_id} to {new.name}", [call], by, why):
        old.meters.remove(meter.meter_id)
        new.meters.add(meter.meter_id)
        meter.owner = new.name


def unassign_meter(world: World, dice: Random) -> bool:
    due = [m for m in world.meters.values() if m.status is MeterStatus.DECOMMISSIONED and not m.freed]
    meter, by = dice.choice(due) if due and dice.random() < 0.8 else some_meter(world, dice), world.decider(dice)
    if meter is None:
        return False
    person = world.owner(meter)
    why = world.unless_authority(by) | world.unless(REGISTRY_WRITE)
    if meter.status is not MeterStatus.DECOMMISSIONED:
        why.add("BadStatusTransition")
    elif meter.freed:
        why.add("NotOwner")
    call = ix.unassign_meter(world.built, by.pubkey(), meter.meter_id, person.wallet)
    if world.attempt(f"unassign_meter {meter.meter_id}", [call], by, why):
        person.meters.remove(meter.meter_id)
        meter.freed = True
    return True
