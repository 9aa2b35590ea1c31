"""The world of the soak: a site with five programs, a market, people, and what should be true of them all.

`attempt` sends one transaction.  `why` names every reason that the model has to refuse it: with none it must succeed,
with some it must be refused with one of them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import ID as SYSTEM
from tests.copies import copy_site
from tests.soak.peeks import Eyes
from tests.soak.shadow import Government, Meter, Person
from tests.trading import model
from tests.trading.ground import Ground
from tests.trading.making import Plan, build
from tests.trading.money import write_tokens
from tests.trading.rows import BASE, QUOTE, SOL

from meterchain import pdas, programs
from meterchain.chain import Receipt, TransactionFailed
from meterchain.ed25519 import Signed
from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.tokens import associated_token_account
from meterchain.units import Lamports

PEOPLE = ("ann", "ben", "cho", "dee", "eli", "fay")
MONEY = 3_000_000_000
"""What everybody starts with, atoms of the quote mint."""
NOT_THERE = {"AccountDataTooSmall", "InvalidAccountData", "UninitializedAccount"}
"""How a missing account is refused."""


class Broken(AssertionError):
    """Something happened that must not."""


@dataclass(frozen=True)
class Awaited:
    """What an epoch should come to: made from the orders when it is cleared."""

    epoch: int
    volume: int
    tick: int
    filled: tuple[int, ...]
    quote: int | None
    """Only where the grid is the model's."""
    fee: int | None


@dataclass
class World:
    """One run."""

    chain: EmbeddedChain
    built: Programs
    ground: Ground
    eyes: Eyes
    domain: bytes
    government: Government
    departments: list[Keypair]
    guardian: Keypair
    stranger: Keypair
    relayer: Keypair
    people: dict[str, Person]
    meters: dict[str, Meter] = field(default_factory=dict)
    keys: dict[bytes, str] = field(default_factory=dict)
    """Public key → the meter that has or had it."""
    serials: dict[str, str] = field(default_factory=dict)
    user_count: int = 0
    active: bool = True
    auto_clearing: bool = False
    relayers: list[Pubkey] | None = None
    """Who may deliver beside the owners; None: anybody."""
    plain_burns: int = 0
    synced: int = 0
    """Plain burns that sync_total_supply has seen."""
    awaited: dict[Pubkey, Awaited] = field(default_factory=dict)
    epochs: Counter[str] = field(default_factory=Counter)
    """Settled ones, by what they came to."""
    log: list[str] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    # --- time and people ---

    @property
    def now(self) -> int:
        return int(self.chain._svm.get_clock().unix_timestamp)

    @property
    def paused(self) -> int:
        return self.government.paused(self.now)

    def param(self, number: int) -> int:
        return self.government.params[number]

    def owner(self, meter: Meter) -> Person:
        return self.people[meter.owner]

    def decider(self, dice: Random) -> Keypair:
        """Mostly who decides; sometimes somebody who does not."""
        if dice.random() < 0.9:
            return self.government.authority
        return dice.choice([*self.departments, self.guardian, self.stranger])

    def unless_authority(self, by: Keypair) -> set[str]:
        """Why the department's instructions refuse `by`."""
        return set() if by.pubkey() == self.government.authority.pubkey() else {"Unauthorized"}

    def unless(self, bits: int) -> set[str]:
        """Why an instruction of these bits is refused now."""
        return {"Paused"} if self.paused & bits else set()

    def has(self, program: str, instruction: str) -> bool:
        """Does the program have this instruction?"""
        return any(each["name"] == instruction for each in self.built[program].raw["instructions"])

    def may_deliver(self, relayer: Pubkey, meter: Meter) -> bool:
        """Does the oracle hear this relayer about the meter?"""
        return self.relayers is None or relayer in self.relayers or relayer == self.owner(meter).wallet

    # --- the market as it stands ---

    @property
    def market(self) -> dict[str, Any]:
        return dict(self.eyes.account("trading", "Market", self.ground.market))

    def book(self, index: int) -> dict[str, Any]:
        return dict(self.eyes.account("trading", "Book", self.ground.books[index]))

    def seat_of(self, person: Person) -> int | None:
        data = self.eyes.data(person.seat_index)
        return int(self.eyes.account("trading", "SeatIndex", person.seat_index)["seat"]) if data else None

    def sitter(self, seat: int) -> Person | None:
        seats = self.eyes.seats(self.ground.seats)
        owner = bytes(seats[seat].owner) if seat < len(seats) else b""
        return next((person for person in self.people.values() if bytes(person.wallet) == owner), None)

    def is_settling(self) -> bool:
        return self.market["settling_book"] < len(self.ground.books)

    # --- doing ---

    def attempt(self, what: str, wanted: Sequence[Instruction], by: Keypair, why: Iterable[str] = ()) -> Receipt | None:
        """Send; the receipt if it was taken.  Raises Broken if the model does not agree."""
        reasons = set(why)
        try:
            receipt = self.chain.send(wanted, [by])
        except TransactionFailed as refusal:
            self.log.append(f"{what} → {refusal.name}")
            self.refused[refusal.name] += 1
            if refusal.name not in reasons:
                wished = f"one of {sorted(reasons)}" if reasons else "success"
                raise Broken(f"{what}: {wished} was expected, not {refusal}") from refusal
            return None
        self.log.append(f"{what} → done")
        self.accepted[what.split(" ", 1)[0]] += 1
        if reasons:
            raise Broken(f"{what}: it was to be refused with one of {sorted(reasons)}")
        return receipt


def named(name: str) -> Keypair:
    """The key of that name, always the same."""
    return Keypair.from_seed(hashlib.sha256(f"soak {name}".encode()).digest())


def sign(key: Keypair, message: bytes) -> Signed:
    return Signed(bytes(key.pubkey()), bytes(key.sign_message(message)))


def create() -> World:
    """A fresh world: a site and an empty market; nobody is registered."""
    chain, built = EmbeddedChain(sigverify=False, remembers=True), programs.load()
    departments = [named(f"department {n}") for n in range(3)]
    others = [named("guardian"), named("stranger"), named("relayer"), *map(named, PEOPLE)]
    for key in (*departments, *others):
        chain.set_account(key.pubkey(), owner=SYSTEM, data=b"", lamports=Lamports(10**6 * SOL))
    site = copy_site(chain, built, departments[0])
    ground = build(chain, built, departments[0], Plan(n_slots=24, n_seats=5, entries=6))
    people = {name: _person(ground, name) for name in PEOPLE}
    for person in people.values():
        write_tokens(chain, person.accounts[QUOTE], ground.quote_mint, person.wallet, MONEY)
    return World(
        chain, built, ground, Eyes(chain, built), site.domain, Government(departments[0]), departments,
        guardian=others[0], stranger=others[1], relayer=others[2], people=people,
    )  # fmt: skip


def _person(ground: Ground, name: str) -> Person:
    key = named(name)
    found = [associated_token_account(key.pubkey(), ground.mint(asset)) for asset in (BASE, QUOTE)]
    (base, base_bump), (quote, quote_bump) = found
    user, seat = pdas.user(ground.built, key.pubkey()), ground.seat_index(key.pubkey())
    return Person(name, key, user, seat, (base, quote), (base_bump, quote_bump))


def standing(world: World, book: Pubkey) -> list[model.Order]:
    """The orders of a book as the model of the auction knows them."""
    return [model.Order(row.side, row.tick, row.lots, row.seat, row.state == 4) for row in world.eyes.orders(book)]
