"""Steps of the oracle and of GRID: meters report, anybody processes, owners approve, spend and burn."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from tests.soak import oracle_model
from tests.soak.oracle_model import No, Signing
from tests.soak.registering import TAKEN, anybody, some_meter
from tests.soak.shadow import BURN, MINT, MINT_CAP, ORACLE_SUBMIT, Meter, Person, State
from tests.soak.world import NOT_THERE, World, sign
from tests.trading.rows import BASE, QUOTE

from meterchain import instructions as ix
from meterchain import pdas
from meterchain.accounts import MeterStatus
from meterchain.chain import Receipt
from meterchain.ed25519 import Signed
from meterchain.instructions import SignedRecord
from meterchain.record import Reason, Record, StatusFlags
from meterchain.tokens import TOKEN_PROGRAM, create_associated_token_account
from meterchain.units import SLOT_S, Atoms, InstallId, Mwh, Seq, Slot, UnixTime

ATOMS = 1_000
BENDS = (
    "again", "other", "stale", "gap", "jump", "prev", "key", "bytes", "domain", "install", "flags", "back", "future",
    "odd epoch", "burst", "final", "old",
)  # fmt: skip
MOVE, BURN_PLAIN, CLOSE, APPROVE = 3, 8, 9, 4


def init_meter_state(world: World, dice: Random) -> bool:
    meter = some_meter(world, dice)
    if meter is None or (meter.state and dice.random() < 0.9):
        return False
    why = world.unless(ORACLE_SUBMIT) | ({TAKEN} if meter.state else set())
    why |= set() if meter.status is MeterStatus.ACTIVE else {"MeterInactive"}
    call = ix.init_meter_state(world.built, world.stranger.pubkey(), meter.meter_id)
    if world.attempt(f"init_meter_state {meter.meter_id}", [call], world.stranger, why):
        meter.state = State(meter.install, meter.owner, meter.baseline_ts, *meter.baseline)
    return True


def next_record(world: World, meter: Meter, state: State, dice: Random) -> Record:
    """What an honest node would sign now: the slot that just ended, one before it, or a reading in mid-slot."""
    now, state = world.now, oracle_model.rebased(meter, state)
    slot = now - now % SLOT_S
    pick = dice.random()
    if pick < 0.75:
        epoch, ts, reason = slot - SLOT_S, min(now, slot + dice.randrange(121)), Reason.PERIODIC
    elif pick < 0.85:
        back = dice.randrange(1, 4) * SLOT_S
        epoch, ts, reason = slot - SLOT_S - back, slot - back + 2, Reason.PERIODIC
    else:
        epoch, ts, reason = slot, now, Reason.EXCEPTION
    gains = [_energy(world, meter, ts - state.last_ts, watts, dice, reason) for watts in meter.max_w]
    registers = [old + gain for old, gain in zip((state.export, state.import_), gains, strict=True)]
    if meter.modulus:
        registers = [register % meter.modulus for register in registers]
    return Record(
        world.domain, meter.meter_id, InstallId(meter.install), Seq(state.seq + 1), Slot(epoch), UnixTime(ts),
        Mwh(registers[0]), Mwh(registers[1]), state.digest[:16], reason,
    )  # fmt: skip


def _energy(world: World, meter: Meter, elapsed: int, watts: int, dice: Random, reason: Reason) -> int:
    most = oracle_model.bound(world, meter, max(elapsed, 0), watts, periodic=reason is Reason.PERIODIC)
    return dice.choice((0, dice.randrange(most + 1), most // 2, most // 2, most, most + (dice.random() < 0.3)))


def bend(world: World, meter: Meter, record: Record, how: str, dice: Random) -> tuple[Record, Keypair, Signing]:
    """The record of an attacker, or of a node that is out of order."""
    key, signing = meter.key, Signing()
    last = Record.decode(meter.last) if meter.last else record
    day = 86_400
    changed = {
        "again": last,
        "other": replace(last, export_mwh=Mwh(last.export_mwh + 1)),
        "stale": replace(record, seq=Seq(max(1, record.seq - 2))),
        "gap": replace(record, seq=Seq(record.seq + dice.randrange(1, 9))),
        "jump": replace(record, seq=Seq(record.seq + dice.choice((oracle_model.SEQ_JUMP - 1, oracle_model.SEQ_JUMP)))),
        "prev": replace(record, prev=b"\1" * 16),
        "domain": replace(record, domain=b"elsewher"),
        "install": replace(record, install_id=InstallId(max(0, record.install_id + dice.choice((-1, 1))))),
        "flags": replace(record, status_flags=dice.choice((StatusFlags.TEST, StatusFlags.TAMPER))),
        "back": replace(record, export_mwh=Mwh(max(0, record.export_mwh - dice.choice((1, 5_000_000))))),
        "future": replace(record, ts=UnixTime(world.now + dice.choice((30, 31, 301)))),
        "odd epoch": replace(record, epoch=Slot(record.epoch + dice.choice((1, -SLOT_S, SLOT_S)))),
        "burst": replace(record, import_mwh=Mwh(record.import_mwh + 50_000_000)),
        "final": replace(record, reason=Reason.FINAL),
        "old": replace(record, ts=UnixTime(record.ts - 8 * day), epoch=Slot(record.epoch - 8 * day)),
    }.get(how, record)
    if how == "key":
        old = [name for name in world.meters.values() if name is not meter]
        key = dice.choice(old).key if old else world.stranger
        signing = Signing(by_meter_key=key == meter.key)
    if how == "bytes":
        signing = Signing(whole=False)
    return changed, key, signing


def report(world: World, dice: Random) -> bool:
    """One to three records in one transaction, mostly good ones."""
    known = [meter for meter in world.meters.values() if meter.state]
    if not known:
        return False
    awake = [meter for meter in known if meter.status is MeterStatus.ACTIVE] or known
    chosen = dice.sample(known if dice.random() < 0.1 else awake, min(len(awake), dice.choice((1, 1, 1, 2, 3))))
    batch, what = [], []
    for meter in chosen:
        assert meter.state
        record, key, signing = next_record(world, meter, meter.state, dice), meter.key, Signing()
        how = dice.choice(BENDS) if dice.random() < 0.25 else "good"
        if how != "good":
            record, key, signing = bend(world, meter, record, how, dice)
        batch.append((meter, record, key, signing))
        what.append(f"{meter.meter_id} {how}")
    deliver(world, batch, ", ".join(what))
    return True


def deliver(world: World, batch: Sequence[tuple[Meter, Record, Keypair, Signing]], what: str) -> Receipt | None:
    signed, after, why = [], [], set()
    for meter, record, key, signing in batch:
        encoded = record.encode()
        proof = sign(key, encoded if signing.whole else bytes(96))
        signed.append(SignedRecord(encoded, Signed(proof.public_key, proof.signature)))
        assert meter.state
        try:
            after.append((meter, encoded, oracle_model.accept(world, meter, meter.state, record, signing)))
        except No as no:
            why.add(str(no))
    wanted = ix.submit_meter_data(world.built, world.relayer.pubkey(), signed, position=0)
    receipt = world.attempt(f"report {what}", wanted, world.relayer, why)
    if receipt:
        for meter, encoded, state in after:
            meter.state, meter.last = state, encoded
    return receipt


def process(world: World, dice: Random) -> bool:
    known = [meter for meter in world.meters.values() if meter.state]
    if not known:
        return False
    process_meter(world, dice.choice(known))
    return True


def process_meter(world: World, meter: Meter) -> Receipt | None:
    """Anybody has a meter's accrual minted and burned; to the atom as the model says."""
    state = meter.state
    assert state
    person = world.people[state.owner]
    account = world.eyes.tokens(person.accounts[BASE])
    why = {"MeterInactive"} if meter.status is MeterStatus.COMPROMISED else set()
    why |= {"Frozen"} if state.frozen_at else set()
    why |= {"InstallMismatch"} if state.install < meter.forfeit else set()
    why |= set() if person.is_active else {"UserInactive"}
    why |= set() if account else NOT_THERE
    call = ix.process_energy_data(world.built, meter.meter_id, person.wallet)
    tokens = world.eyes.account("energy_token", "TokenConfig", pdas.token_config(world.built))
    receipt = world.attempt(f"process {meter.meter_id}", [call], world.stranger, why)
    if receipt and account:
        spent = tokens["epoch_minted"] if tokens["epoch_no"] == world.now - world.now % SLOT_S else 0
        cap = max(0, world.param(MINT_CAP) * ATOMS - spent)
        mint = 0 if world.paused & MINT else min(state.unminted, cap // ATOMS)
        balance = account.amount + mint * ATOMS
        approved = account.delegated if account.delegate == bytes(pdas.burner(world.built)) else 0
        due = min(state.unburned, approved // ATOMS, balance // ATOMS)
        burn = 0 if world.paused & BURN else due
        meter.state = state.but(minted=state.minted + mint, burned=state.burned + burn)
        after = world.eyes.tokens(person.accounts[BASE])
        assert after
        assert after.amount == balance - burn * ATOMS
    return receipt


def switch_the_oracle(world: World, dice: Random) -> bool:
    by = world.decider(dice)
    if dice.random() < 0.5:
        let_anybody_clear(world, by, enabled=dice.random() < 0.8 or not world.auto_clearing)
    else:
        active = dice.random() < 0.8 or not world.active
        call = ix.set_active(world.built, by.pubkey(), active=active)
        if world.attempt(f"set_active {active}", [call], by, world.unless_authority(by)):
            world.active = active
    return True


def let_anybody_clear(world: World, by: Keypair, *, enabled: bool = True) -> None:
    """set_auto_clearing, which is off when a site begins."""
    accounts = {
        "authority": by.pubkey(),
        "governance": pdas.governance(world.built),
        "config": pdas.oracle(world.built),
    }
    call = world.built["oracle"].instruction("set_auto_clearing", accounts, {"enabled": int(enabled)})
    if world.attempt(f"set_auto_clearing {enabled}", [call], by, world.unless_authority(by)):
        world.auto_clearing = enabled


# --- an owner's GRID ---


def plain(tag: int, amount: int | None, accounts: Sequence[Pubkey], owner: Pubkey) -> Instruction:
    """An instruction of the token program itself: writable accounts, then the owner."""
    data = bytes([tag]) + (b"" if amount is None else amount.to_bytes(8, "little"))
    metas = [AccountMeta(account, is_signer=False, is_writable=True) for account in accounts]
    return Instruction(TOKEN_PROGRAM, data, [*metas, AccountMeta(owner, is_signer=True, is_writable=False)])


def spend(world: World, dice: Random) -> bool:
    """Burn by us, burn by SPL, transfer by either, a gift to the vault; sometimes more than there is."""
    person, other = anybody(world, dice), anybody(world, dice)
    source, target = person.accounts[BASE], other.accounts[BASE]
    held = world.eyes.tokens(source)
    balance = held.amount if held else 0
    amount = balance * dice.choice((0, 1, 5, 5, 10, 10, 30, 100, 101)) // 100
    how = dice.choice(("burn", "burn_plainly", "transfer", "transfer_plainly", "give_the_vault"))
    why = set() if held else NOT_THERE | {"InvalidState", "UninitializedState", "InvalidAccountData"}
    if amount > balance:
        why.add("InsufficientFunds")
    token = world.eyes.account("energy_token", "TokenConfig", pdas.token_config(world.built))
    if how == "burn" and amount > token["total_supply"]:  # its holder has nearly all that there is
        why = {"Overflow"}
    if how in ("burn", "transfer") and amount == 0:
        why.add("ZeroAmount")
    if "transfer" in how and world.eyes.tokens(target) is None:
        why |= NOT_THERE | {"UninitializedState", "InvalidState"}
    call = {
        "burn": ix.burn(world.built, person.wallet, Atoms(amount)),
        "burn_plainly": plain(BURN_PLAIN, amount, [source, world.ground.grid], person.wallet),
        "transfer": ix.transfer(world.built, person.wallet, other.wallet, Atoms(amount)),
        "transfer_plainly": plain(MOVE, amount, [source, target], person.wallet),
        "give_the_vault": plain(MOVE, amount // 50, [source, world.ground.vault(BASE)], person.wallet),
    }[how]
    why -= {"InsufficientFunds"} if how == "give_the_vault" and amount // 50 <= balance else set()
    if world.attempt(f"{how} {amount} by {person.name}", [call], person.key, why) and how == "burn_plainly":
        world.plain_burns += amount
    return True


def approve(world: World, dice: Random) -> bool:
    """An allowance for the burner, one for somebody else, or none."""
    person = anybody(world, dice)
    account, held = person.accounts[BASE], world.eyes.tokens(person.accounts[BASE])
    amount = dice.choice((0, 10**6, 10**9, 10**12))
    missing = set() if held else NOT_THERE | {"UninitializedState"}
    pick = dice.random()
    if pick < 0.6:
        why = missing | (set() if amount else {"ZeroAmount"})
        call = ix.approve_consumption(world.built, person.wallet, Atoms(amount))
        world.attempt(f"approve {amount} by {person.name}", [call], person.key, why)
    elif pick < 0.8:
        ours = held and held.delegate == bytes(pdas.burner(world.built))
        why = missing | (set() if ours or not held else {"NotApproved"})
        world.attempt(f"revoke by {person.name}", [ix.revoke_consumption(world.built, person.wallet)], person.key, why)
    else:
        data = bytes([APPROVE]) + amount.to_bytes(8, "little")
        metas = [AccountMeta(account, is_signer=False, is_writable=True),
                 AccountMeta(world.stranger.pubkey(), is_signer=False, is_writable=False),
                 AccountMeta(person.wallet, is_signer=True, is_writable=False)]  # fmt: skip
        call = Instruction(TOKEN_PROGRAM, data, metas)
        world.attempt(f"approve_another {amount} by {person.name}", [call], person.key, missing)
    return True


def open_account(world: World, dice: Random) -> bool:
    without = [person for person in world.people.values() if world.eyes.tokens(person.accounts[BASE]) is None]
    person = dice.choice(without) if without else anybody(world, dice)
    why = set() if person.registered else NOT_THERE
    why |= {"UserInactive"} if person.registered and not person.is_active else set()
    call = ix.create_token_account(world.built, world.stranger.pubkey(), person.wallet)
    world.attempt(f"open_account {person.name}", [call], world.stranger, why)
    return True


def close_account(world: World, dice: Random) -> bool:
    """An owner closes a token account; the money that is there goes first, so that nothing is lost."""
    person, asset = anybody(world, dice), dice.choice((BASE, QUOTE))
    held = world.eyes.tokens(person.accounts[asset])
    if held is None or (held.amount and dice.random() < 0.7):
        return False
    why = {"NonNativeHasBalance"} if held.amount else set()
    metas = [AccountMeta(person.accounts[asset], is_signer=False, is_writable=True),
             AccountMeta(person.wallet, is_signer=False, is_writable=True),
             AccountMeta(person.wallet, is_signer=True, is_writable=False)]  # fmt: skip
    call = Instruction(TOKEN_PROGRAM, bytes([CLOSE]), metas)
    world.attempt(f"close_account {person.name} {asset}", [call], person.key, why)
    return True


def reopen(world: World, person: Person) -> None:
    """Both token accounts of somebody, by the associated-token program itself: it asks nobody."""
    calls = [create_associated_token_account(person.wallet, person.wallet, world.ground.mint(a)) for a in (BASE, QUOTE)]
    world.attempt(f"reopen {person.name}", calls, person.key)


def reopen_money(world: World, dice: Random) -> bool:
    without = [person for person in world.people.values() if world.eyes.tokens(person.accounts[QUOTE]) is None]
    if not without:
        return False
    reopen(world, dice.choice(without))
    return True


def sync_total_supply(world: World, _dice: Random) -> bool:
    if world.attempt("sync_total_supply", [ix.sync_total_supply(world.built)], world.stranger):
        world.synced = world.plain_burns
    return True
