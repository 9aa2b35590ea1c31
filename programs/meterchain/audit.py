"""The audit: proves from the chain's accounts alone that every token stands for measured energy.

each meter   minted + forfeited ≤ credited export (equal once everything is processed);
             burned + written off ≤ credited import
all meters   Σ minted = TokenConfig.total_minted; Σ burned = total_burned_consumption
the mint     supply = total_minted - what was burned; the difference, if any, is holders' own SPL burns
the rules    only the oracle mints, nobody can freeze, one domain
each market  vaults hold what is owed, seats and fees add up to it, locks stand behind orders (market.conservation)
"""

from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import Meter, MeterState, OracleConfig, RegistryConfig, TokenConfig, fetch, fetch_all
from meterchain.chain import Chain, ChainError
from meterchain.check import Check
from meterchain.market import conservation
from meterchain.programs import Programs
from meterchain.tokens import TOKEN_PROGRAM, Mint, read_mint, read_token_account
from meterchain.units import ATOMS_PER_MWH, Atoms, Mwh

GRID_DECIMALS = 9


class NothingToAudit(ChainError):
    """There is no initialised site on this chain."""


@dataclass(frozen=True, slots=True)
class MeterLine:
    """One meter in the books; energy as credited by the oracle."""

    meter_id: str
    owner: Pubkey
    export_mwh: Mwh
    import_mwh: Mwh
    minted_atoms: Atoms
    burned_atoms: Atoms


@dataclass(frozen=True, slots=True)
class Audit:
    """The books and what was checked about them."""

    meters: tuple[MeterLine, ...]
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True if every check holds."""
        return all(check.ok for check in self.checks)


def audit(chain: Chain, programs: Programs, *, settled: bool = False) -> Audit:
    """Look at every meter, the token, the mint, and every market.

    With `settled`, export that is credited but not yet minted is a failure; without, it is waiting.
    Raises NothingToAudit, AccountError and what Chain.accounts raises.
    """
    token, mint = _token(chain, programs)
    meters = fetch_all(chain, programs, Meter)
    states = fetch_all(chain, programs, MeterState)
    names = {state.meter: meters[state.meter].meter_id for state in states.values() if state.meter in meters}
    known = sorted((state for state in states.values() if state.meter in names), key=lambda s: names[s.meter])
    lines = tuple(_line(names[state.meter], state) for state in known)
    checks = [check for state in known for check in _of_meter(names[state.meter], state, settled=settled)]
    checks += _of_states(programs, states, meters)
    checks += _of_totals(list(states.values()), token)
    checks += _of_supply(chain, token, mint)
    checks += _of_rules(chain, programs, token, mint)
    checks += conservation.checks(chain, programs)
    return Audit(lines, tuple(checks))


def _token(chain: Chain, programs: Programs) -> tuple[TokenConfig, Mint]:
    token = fetch(chain, programs, TokenConfig, pdas.token_config(programs))
    (info,) = chain.accounts([pdas.grid_mint(programs)])
    if token is None or info is None:
        raise NothingToAudit(
            f"there is no initialised site on {chain.name}: run `meterbridge site deploy`, then `meterbridge site init`"
        )
    return token, read_mint(info)


def _line(meter_id: str, state: MeterState) -> MeterLine:
    return MeterLine(
        meter_id,
        state.owner,
        state.cum_export_mwh,
        state.cum_import_mwh,
        Atoms(state.minted_mwh * ATOMS_PER_MWH),
        Atoms(state.burned_mwh * ATOMS_PER_MWH),
    )


def _of_meter(meter_id: str, state: MeterState, *, settled: bool) -> Iterator[Check]:
    minted, credited = state.minted_mwh * ATOMS_PER_MWH, state.cum_export_mwh * ATOMS_PER_MWH
    forfeited, waiting = state.forfeited_mwh * ATOMS_PER_MWH, state.unminted_mwh * ATOMS_PER_MWH
    others = ((forfeited, "forfeited"), (waiting, "waiting"))
    yield Check(
        f"{meter_id}: minted atoms = 1,000 x credited export mWh",
        waiting == 0 or (waiting > 0 and not settled),
        f"{minted} minted, {credited} credited" + "".join(f", {atoms} {what}" for atoms, what in others if atoms > 0),
    )
    gone = state.burned_mwh + state.written_off_import_mwh
    yield Check(
        f"{meter_id}: burned and written off at most the credited import",
        gone <= state.cum_import_mwh,
        f"{state.burned_mwh} mWh burned, {state.written_off_import_mwh} written off, {state.cum_import_mwh} imported",
    )


def _of_states(programs: Programs, states: dict[Pubkey, MeterState], meters: dict[Pubkey, Meter]) -> Iterator[Check]:
    strays = [
        str(address)
        for address, state in states.items()
        if state.meter not in meters or pdas.meter_state(programs, state.meter) != address
    ]
    yield Check("every meter state is its meter's own", not strays, ", ".join(strays) or f"{len(states)} states")


def _of_totals(states: list[MeterState], token: TokenConfig) -> Iterator[Check]:
    minted = sum(state.minted_mwh for state in states) * ATOMS_PER_MWH
    yield Check(
        "the meters' minted sum is the token's", minted == token.total_minted, f"{minted} = {token.total_minted} atoms"
    )
    burned = sum(state.burned_mwh for state in states) * ATOMS_PER_MWH
    yield Check(
        "the meters' burned sum is the token's",
        burned == token.total_burned_consumption,
        f"{burned} = {token.total_burned_consumption} atoms",
    )


def _of_supply(chain: Chain, token: TokenConfig, mint: Mint) -> Iterator[Check]:
    expected = token.total_minted - token.total_burned_consumption - token.total_burned_voluntary
    plain = expected - mint.supply
    yield Check(
        "the supply is what was minted less what was burned",
        plain >= 0,
        f"{mint.supply} atoms" + (f", {plain} burned by holders through SPL" if plain else ""),
    )
    found = chain.program_accounts(TOKEN_PROGRAM, bytes(mint.address))  # a token account begins with its mint
    held = sum(read_token_account(info).amount for info in found.values())
    yield Check("the balances add up to the supply", held == mint.supply, f"{held} atoms in {len(found)} accounts")


def _of_rules(chain: Chain, programs: Programs, token: TokenConfig, mint: Mint) -> Iterator[Check]:
    oracle = fetch(chain, programs, OracleConfig, pdas.oracle(programs))
    registry = fetch(chain, programs, RegistryConfig, pdas.registry(programs))
    yield Check(
        "only the oracle mints",
        token.oracle_minter == pdas.oracle_auth(programs) and mint.mint_authority == pdas.mint_auth(programs),
        f"minter {token.oracle_minter}, mint authority {mint.mint_authority}",
    )
    yield Check(
        "nobody can freeze GRID, and it has 9 decimals",
        mint.freeze_authority is None and mint.decimals == GRID_DECIMALS,
        f"freeze authority {mint.freeze_authority}, {mint.decimals} decimals",
    )
    same = oracle is not None and registry is not None and oracle.domain == registry.domain
    yield Check("oracle and registry are of one site", same, registry.domain.hex() if registry else "no registry")
