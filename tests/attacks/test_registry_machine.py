"""Governance and Registry called in any order: after every step the accounts agree with a model and with each other."""

import hashlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from solders.instruction import Instruction
from solders.keypair import Keypair
from tests.copies import copy_programs

from meterchain import instructions as ix
from meterchain import pdas, programs
from meterchain.accounts import (
    GovernanceConfig,
    KeyIndex,
    Meter,
    MeterKind,
    MeterStatus,
    RegistryConfig,
    Role,
    SerialIndex,
    User,
    UserStatus,
    UserType,
    fetch,
    fetch_all,
)
from meterchain.chain import TransactionFailed
from meterchain.ed25519 import Signed, possession_message
from meterchain.embedded import START, EmbeddedChain
from meterchain.instructions import MeterAssignment, MeterReplacement
from meterchain.units import InstallId, Lamports, Mwh, UnixTime

DOMAIN = b"machine!"
PAUSE_MAX = 604_800
REGISTRY_WRITE = 1
OWNERS = st.integers(0, 2)
NUMBERS = st.integers(0, 5)
KEYS = st.integers(0, 20)


def named(name: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"machine {name}".encode()).digest())


class Site(RuleBasedStateMachine):
    """The department, three would-be users, six meters; small numbers, so that calls collide."""

    def __init__(self) -> None:
        super().__init__()
        self.chain, self.built, self.authority = EmbeddedChain(), programs.load(), named("authority")
        self.me = self.authority.pubkey()
        self.chain.airdrop(self.me, Lamports(10**12))
        copy_programs(self.chain, self.built, self.authority, ("governance", "registry"))
        start = ix.initialize_governance(
            self.built,
            self.me,
            engineering_authority=self.me,
            guardian=self.me,
            single_validator=self.me,
            campus_network="",
        )
        self.chain.send([start, ix.initialize_registry(self.built, self.me, "", DOMAIN)], [self.authority])
        self.now, self.mask, self.expires, self.limit = int(START), 0, 0, 10
        self.freed: set[int] = set()

    def teardown(self) -> None:
        self.chain.close()

    def attempt(self, *wanted: Instruction) -> bool:
        """Refusals are fine: what they leave behind is what the invariants look at.  True if there was none."""
        try:
            self.chain.send(wanted, [self.authority])
        except TransactionFailed:
            return False
        return True

    def meter(self, number: int) -> Meter | None:
        return fetch(self.chain, self.built, Meter, pdas.meter(self.built, f"METER_{number}"))

    def proof(self, meter: Meter, key: int, install: int) -> Signed:
        message = possession_message(DOMAIN, meter.meter_id, meter.owner, InstallId(install))
        return Signed(bytes(named(f"key {key}").pubkey()), bytes(named(f"key {key}").sign_message(message)))

    @property
    def paused(self) -> int:
        return self.mask if self.now < self.expires else 0

    @rule(owner=OWNERS)
    def register(self, owner: int) -> None:
        wallet = named(f"owner {owner}").pubkey()
        before = fetch(self.chain, self.built, User, pdas.user(self.built, wallet))
        self.attempt(ix.register_user(self.built, self.me, wallet, UserType.PROSUMER, Role.STUDENT))
        after = fetch(self.chain, self.built, User, pdas.user(self.built, wallet))
        assert (after is not None) == (before is not None or not self.paused & REGISTRY_WRITE)

    @rule(owner=OWNERS, number=NUMBERS, serial=NUMBERS, key=NUMBERS)
    def assign(self, owner: int, number: int, serial: int, key: int) -> None:
        wallet, meter_key, meter_id = named(f"owner {owner}").pubkey(), named(f"key {key}"), f"METER_{number}"
        message = possession_message(DOMAIN, meter_id, wallet, InstallId(1))
        proof = Signed(bytes(meter_key.pubkey()), bytes(meter_key.sign_message(message)))
        plan = MeterAssignment(
            meter_id, wallet, MeterKind.BIDIRECTIONAL, 1, 1, 1, Mwh(0), Mwh(0), f"SN-{serial}", "model", "hall"
        )
        self.attempt(*ix.assign_meter(self.built, self.me, DOMAIN, plan, proof))

    @rule(owner=OWNERS, status=st.sampled_from(UserStatus))
    def set_user_status(self, owner: int, status: UserStatus) -> None:
        self.attempt(ix.set_user_status(self.built, self.me, named(f"owner {owner}").pubkey(), status))

    @rule(number=NUMBERS, status=st.sampled_from(MeterStatus))
    def set_meter_status(self, number: int, status: MeterStatus) -> None:
        self.attempt(ix.set_meter_status(self.built, self.me, f"METER_{number}", status))

    @rule(number=NUMBERS, key=KEYS)
    def rotate(self, number: int, key: int) -> None:
        if meter := self.meter(number):
            self.attempt(
                *ix.rotate_meter_key(
                    self.built, self.me, DOMAIN, meter.meter_id, meter.owner, meter.install_id,
                    old_key=meter.meter_key, possession=self.proof(meter, key, meter.install_id),
                )
            )  # fmt: skip

    @rule(number=NUMBERS, key=KEYS, serial=NUMBERS)
    def replace(self, number: int, key: int, serial: int) -> None:
        if meter := self.meter(number):
            device = MeterReplacement(f"SN-{serial}", "model", Mwh(0), Mwh(0), Mwh(0), Mwh(0))
            install = InstallId(meter.install_id + 1)
            done = self.attempt(
                *ix.replace_meter(
                    self.built, self.me, DOMAIN, meter.meter_id, meter.owner, install,
                    old_key=meter.meter_key, replacement=device, possession=self.proof(meter, key, install),
                )
            )  # fmt: skip
            after = self.meter(number)
            assert after is not None
            assert after.install_id == meter.install_id + done
            stolen = done and meter.status == MeterStatus.COMPROMISED
            assert after.forfeit_install == (after.install_id if stolen else meter.forfeit_install)

    @rule(number=NUMBERS)
    def rebase(self, number: int) -> None:
        if meter := self.meter(number):
            done = self.attempt(ix.rebase_meter(self.built, self.me, meter.meter_id, Mwh(1), Mwh(1), 0))
            assert done == (meter.status == MeterStatus.MAINTENANCE and not self.paused & REGISTRY_WRITE)

    @rule(number=NUMBERS, owner=OWNERS)
    def reassign(self, number: int, owner: int) -> None:
        if meter := self.meter(number):
            new = named(f"owner {owner}").pubkey()
            self.attempt(ix.reassign_meter(self.built, self.me, meter.meter_id, meter.owner, new))

    @rule(number=NUMBERS)
    def unassign(self, number: int) -> None:
        if (meter := self.meter(number)) and self.attempt(
            ix.unassign_meter(self.built, self.me, meter.meter_id, meter.owner)
        ):
            assert meter.status == MeterStatus.DECOMMISSIONED
            assert meter.meter_no not in self.freed
            self.freed.add(meter.meter_no)

    @rule(limit=st.integers(1, 3))
    def set_limit(self, limit: int) -> None:
        self.chain.send([ix.update_parameters(self.built, self.me, {1: limit})], [self.authority])
        self.limit = limit

    @rule(mask=st.integers(1, 63))
    def pause(self, mask: int) -> None:
        self.chain.send([ix.emergency_pause(self.built, self.me, mask, 0)], [self.authority])
        active = self.paused
        self.expires = max(self.expires if active else 0, self.now + PAUSE_MAX)
        self.mask = active | mask

    @rule(mask=st.integers(1, 63))
    def unpause(self, mask: int) -> None:
        self.chain.send([ix.emergency_unpause(self.built, self.me, mask)], [self.authority])
        self.mask = self.paused & ~mask
        self.expires = self.expires if self.mask else 0

    @rule(seconds=st.integers(1, PAUSE_MAX))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.chain.set_unix_time(UnixTime(self.now))

    @invariant()
    def the_pause_is_the_models(self) -> None:
        config = fetch(self.chain, self.built, GovernanceConfig, pdas.governance(self.built))
        assert config is not None
        assert config.effective_pause(UnixTime(self.now)) == self.paused
        assert config.emergency_pause == (config.pause_mask == 0x3F)

    @invariant()
    def the_registry_adds_up(self) -> None:
        config = fetch(self.chain, self.built, RegistryConfig, pdas.registry(self.built))
        users = fetch_all(self.chain, self.built, User)
        meters = fetch_all(self.chain, self.built, Meter)
        assert config is not None
        assert config.user_count == len(users)
        assert config.meter_count == config.next_meter_no - 1 == len(meters)
        assert config.active_meter_count == sum(meter.status == MeterStatus.ACTIVE for meter in meters.values())
        assert sorted(meter.meter_no for meter in meters.values()) == list(range(1, len(meters) + 1))
        assert len({meter.meter_key for meter in meters.values()}) == len(meters)
        assert len({(meter.model, meter.serial) for meter in meters.values()}) == len(meters)
        for user in users.values():
            listed = {number for number in user.meters if number}
            assert len(listed) == user.meter_count <= 10
            owned = {meter.meter_no for meter in meters.values() if meter.owner == user.wallet}
            assert listed == owned - self.freed

    @invariant()
    def every_meter_has_one_key_and_every_key_one_meter_for_ever(self) -> None:
        meters = fetch_all(self.chain, self.built, Meter)
        keys = fetch_all(self.chain, self.built, KeyIndex)
        in_use = {index.meter: address for address, index in keys.items() if index.retired_at == 0}
        assert in_use == {address: pdas.key_index(self.built, meter.meter_key) for address, meter in meters.items()}
        assert len(in_use) == sum(index.retired_at == 0 for index in keys.values())
        devices = fetch_all(self.chain, self.built, SerialIndex)
        for address, meter in meters.items():
            model, serial = ix.text(meter.model, pdas.MODEL_SIZE), ix.text(meter.serial, pdas.SERIAL_SIZE)
            assert devices[pdas.serial_index(self.built, model, serial)].meter == address


TestSite = Site.TestCase
TestSite.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
