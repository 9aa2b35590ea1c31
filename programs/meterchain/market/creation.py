"""A market comes into being: a campus currency, the accounts of exact size, the market itself.  Run again it goes on.

    create_currency → create_market (fee account, books, seats, history, initialize_market)

Each step looks first, does what is missing, looks again, and refuses if what is there contradicts what was asked.  An
account that somebody sent lamports to in advance is taken over: space is allocated, not "created".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    TransferParams,
    allocate_with_seed,
    transfer,
)

from meterchain.chain import AccountInfo, Chain
from meterchain.market import addresses
from meterchain.market.accounts import Market
from meterchain.market.builders import MarketTerms, initialize_market
from meterchain.market.reading import read_market, space_for
from meterchain.programs import Programs
from meterchain.site import SiteError
from meterchain.tokens import (
    TOKEN_PROGRAM,
    Mint,
    associated_token_account,
    create_associated_token_account,
    read_mint,
)
from meterchain.units import Atoms, Lamports

MINT_SIZE = 82
TOKEN_ACCOUNT_SIZE = 165
CURRENCY_DECIMALS = 6
_INITIALIZE_MINT_2, _MINT_TO = 20, 7
_KIND = {"book 0": "Book", "book 1": "Book", "seats": "Seats", "history": "History"}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Missing:
    """An account that would be made, and its rent."""

    what: str
    address: Pubkey
    size: int
    rent: Lamports


def create_currency(chain: Chain, creator: Keypair, name: str) -> Mint:
    """The campus currency `name`: a mint of six decimals that `creator` issues and nobody can freeze.

    Raises SiteError if its address holds something else.
    """
    wallet = creator.pubkey()
    address = addresses.quote_mint(wallet, name)
    if (there := _account(chain, address)) is None:
        chain.send(
            [
                *_allocate(chain, wallet, addresses.mint_seed(name), address, MINT_SIZE, TOKEN_PROGRAM),
                _initialize_mint(address, wallet),
            ],
            [creator],
        )
        there = _shown(chain, address)
    mint = read_mint(there)
    if mint.freeze_authority is not None or mint.decimals != CURRENCY_DECIMALS:
        raise SiteError(f"{address} is not the currency {name!r} as it is made here: choose another name")
    return mint


def issue(chain: Chain, creator: Keypair, mint: Pubkey, wallet: Pubkey, amount: Atoms) -> Pubkey:
    """Issue money to a wallet, whose canonical account is made if need be; twice is twice.  Returns the account."""
    account, _ = associated_token_account(wallet, mint)
    accounts = [
        AccountMeta(mint, is_signer=False, is_writable=True),
        AccountMeta(account, is_signer=False, is_writable=True),
        AccountMeta(creator.pubkey(), is_signer=True, is_writable=False),
    ]
    mint_to = Instruction(TOKEN_PROGRAM, bytes([_MINT_TO]) + amount.to_bytes(8, "little"), accounts)
    chain.send([create_associated_token_account(creator.pubkey(), wallet, mint), mint_to], [creator])
    return account


def missing(
    chain: Chain, programs: Programs, creator: Pubkey, quote_mint: Pubkey, terms: MarketTerms
) -> Iterator[Missing]:
    """What `create_currency` and `create_market` have still to make; nothing once the market is there."""
    market = addresses.market(programs, quote_mint)
    if _account(chain, market) is not None:
        return
    wanted = [
        (name, addresses.part(programs, creator, market, name), _space(programs, name, terms))
        for name in addresses.PARTS
    ]
    wanted.append(("market", market, len(_blank_market(programs))))
    wanted += [(f"vault {asset}", addresses.vault(programs, market, asset), TOKEN_ACCOUNT_SIZE) for asset in (0, 1)]
    wanted.append(("fee account", associated_token_account(creator, quote_mint)[0], TOKEN_ACCOUNT_SIZE))
    wanted.append(("currency", quote_mint, MINT_SIZE))
    found = chain.accounts([address for _, address, _ in wanted])
    for (what, address, size), info in zip(wanted, found, strict=True):
        if info is None or not info.data:
            yield Missing(what, address, size, chain.rent_exempt(size))


def create_market(
    chain: Chain,
    programs: Programs,
    authority: Keypair,
    quote_mint: Pubkey,
    terms: MarketTerms | None = None,
    *,
    progress: Progress = lambda _what: None,
) -> Market:
    """The market of `quote_mint`, made by the department; fees go to the department's canonical account.

    Raises SiteError if it is there with other terms, and what Chain.send raises.
    """
    wanted = terms or MarketTerms()
    creator = authority.pubkey()
    address = addresses.market(programs, quote_mint)
    if (there := _account(chain, address)) is not None:
        return _agreeing(read_market(programs, there), wanted)
    progress("fee account")
    fees, _ = associated_token_account(creator, quote_mint)
    if _account(chain, fees) is None:
        chain.send([create_associated_token_account(creator, creator, quote_mint)], [authority])
    parts = {}
    for name in addresses.PARTS:
        progress(name)
        parts[name] = _ensure_part(chain, programs, authority, address, name, _space(programs, name, wanted))
    progress("market")
    chain.send([initialize_market(programs, creator, quote_mint, fees, parts, wanted)], [authority])
    return read_market(programs, _shown(chain, address))


def _ensure_part(chain: Chain, programs: Programs, authority: Keypair, market: Pubkey, name: str, size: int) -> Pubkey:
    creator, owner = authority.pubkey(), programs.id("trading")
    address = addresses.part(programs, creator, market, name)
    there = _account(chain, address)
    if there is None:
        seed = addresses.part_seed(market, name)
        chain.send(_allocate(chain, creator, seed, address, size, owner), [authority])
        there = _shown(chain, address)
    if there.owner != owner or len(there.data) != size:
        raise SiteError(
            f"the {name} at {address} has {len(there.data):,} bytes of {there.owner}, {size:,} are wanted: an earlier "
            "attempt asked for other capacities; ask for the same, or use another currency"
        )
    return address


def _allocate(chain: Chain, creator: Pubkey, seed: str, address: Pubkey, size: int, owner: Pubkey) -> list[Instruction]:
    """Rent, as far as it is not there, and `size` zeros that belong to `owner`."""
    (info,) = chain.accounts([address])
    lacking = chain.rent_exempt(size) - (info.lamports if info else 0)
    pay = transfer(TransferParams(from_pubkey=creator, to_pubkey=address, lamports=max(lacking, 0)))
    space = allocate_with_seed(
        AllocateWithSeedParams(address=address, base=creator, seed=seed, space=size, owner=owner)
    )
    return [pay, space] if lacking > 0 else [space]


def _initialize_mint(address: Pubkey, authority: Pubkey) -> Instruction:
    data = bytes([_INITIALIZE_MINT_2, CURRENCY_DECIMALS]) + bytes(authority) + b"\0"
    return Instruction(TOKEN_PROGRAM, data, [AccountMeta(address, is_signer=False, is_writable=True)])


def _agreeing(market: Market, wanted: MarketTerms) -> Market:
    asked = (wanted.lot_size, wanted.price_floor, wanted.tick_size, wanted.n_slots, wanted.n_seats)
    found = (market.lot_size, market.price_floor, market.tick_size, market.n_slots, market.n_seats)
    if asked != found:
        raise SiteError(
            f"the market {market.address} is there with other terms: lot, floor, tick, slots, seats are "
            f"{', '.join(f'{n:,}' for n in found)}, not {', '.join(f'{n:,}' for n in asked)}"
        )
    return market


def _space(programs: Programs, name: str, terms: MarketTerms) -> int:
    rows = {"Book": terms.n_slots, "Seats": terms.n_seats, "History": terms.history}
    return space_for(programs, _KIND[name], rows[_KIND[name]])


def _blank_market(programs: Programs) -> bytes:
    idl = programs["trading"]
    blank = bytes(4_096)
    _, end = idl.types.decode({"defined": {"name": "Market"}}, blank)
    return bytes(len(idl.discriminator("Market")) + end)


def _account(chain: Chain, address: Pubkey) -> AccountInfo | None:
    """None too if there are only lamports, which somebody sent in advance."""
    (info,) = chain.accounts([address])
    return info if info is not None and info.data else None


def _shown(chain: Chain, address: Pubkey) -> AccountInfo:
    info = _account(chain, address)
    if info is None:
        raise SiteError(f"{chain.name} confirmed the transaction but does not show {address}: try another RPC")
    return info
