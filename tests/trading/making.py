"""Markets for tests: made by the real initialize_market, on accounts that a client would have created."""

from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from tests.trading.ground import Bent, Ground
from tests.trading.money import write_mint, write_tokens
from tests.trading.rows import BASE, FLOOR, LOT, QUOTE, SOL, STEP, key

from meterchain.embedded import EmbeddedChain
from meterchain.programs import Programs
from meterchain.units import Lamports


def sizes(built: Programs, n_slots: int, n_seats: int, entries: int) -> dict[str, int]:
    """Bytes of a book, of the seats and of history."""
    constants = built["trading"].constants
    counts = {"BOOK": n_slots, "SEATS": n_seats, "HISTORY": entries}
    return {what: int(constants[f"{what}_ROWS_AT"]) + n * int(constants[f"{what}_ROW"]) for what, n in counts.items()}


@dataclass(frozen=True)
class Plan:
    """A market that is to be."""

    n_slots: int = 128
    n_seats: int = 32
    entries: int = 8
    lot_size: int = LOT
    price_floor: int = FLOOR
    tick_size: int = STEP
    accept_freezable: int = 0
    freezer: Pubkey | None = None
    name: str = "market"


def prepare(
    chain: EmbeddedChain, built: Programs, authority: Keypair, plan: Plan = Plan()
) -> tuple[Ground, list[Keypair]]:
    """Creates mint, fee account and the four empty accounts of a market, not the market itself."""
    quote = key(f"{plan.name} quote").pubkey()
    write_mint(chain, quote, freezer=plan.freezer)
    fees = key(f"{plan.name} fees").pubkey()
    write_tokens(chain, fees, quote, authority.pubkey(), 0)
    size = sizes(built, plan.n_slots, plan.n_seats, plan.entries)
    owned = [key(f"{plan.name} {what}") for what in ("book 0", "book 1", "seats", "history")]
    chain.airdrop(authority.pubkey(), Lamports(1_000 * SOL))
    for account, space in zip(owned, (size["BOOK"], size["BOOK"], size["SEATS"], size["HISTORY"]), strict=True):
        rent = chain.rent_exempt(space)
        params = CreateAccountParams(
            from_pubkey=authority.pubkey(),
            to_pubkey=account.pubkey(),
            lamports=rent,
            space=space,
            owner=built.id("trading"),
        )
        chain.send([create_account(params)], [authority, account])
    market = Pubkey.find_program_address([b"market", bytes(quote)], built.id("trading"))[0]
    book_0, book_1, seats, history = (account.pubkey() for account in owned)
    return Ground(chain, built, authority, market, quote, (book_0, book_1), seats, history, fees), owned


def initialising(ground: Ground, plan: Plan, **bent: Bent) -> Instruction:
    """initialize_market for what `prepare` made."""
    names = ("lot_size", "price_floor", "tick_size", "n_slots", "n_seats", "accept_freezable")
    params = {name: bent.pop(name, getattr(plan, name)) for name in names}
    accounts = {
        "market": ground.market,
        "quote_mint": ground.quote_mint,
        "base_mint": ground.grid,
        "base_vault": ground.vault(BASE),
        "quote_vault": ground.vault(QUOTE),
        "book_0": ground.books[0],
        "book_1": ground.books[1],
    } | bent
    return ground.ix("initialize_market", accounts, {"params": params})


def build(chain: EmbeddedChain, built: Programs, authority: Keypair, plan: Plan = Plan()) -> Ground:
    """A market, ready, with nobody in it."""
    ground, _ = prepare(chain, built, authority, plan)
    ground.send(initialising(ground, plan))
    return ground
