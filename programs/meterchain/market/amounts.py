"""Energy in kWh and money in the campus currency, exactly: decimal in, atoms out, and back.  No floats.

A lot is the least energy that trades, a tick the least step of a price.  What does not fit is refused with the nearest
amounts that do.
"""

from dataclasses import dataclass
from decimal import Decimal, DecimalException, InvalidOperation, localcontext

from meterchain.chain import Chain, ChainError
from meterchain.market.accounts import Asset, Market
from meterchain.tokens import read_mint
from meterchain.units import Atoms

GRID_DECIMALS = 9
ATOMS_PER_KWH = 1_000_000_000
TICKS = 1_024
"""Prices that an order may name."""
MOST_ATOMS = 2**64 - 1
MOST_LOTS = 2**32 - 1


class AmountError(ValueError):
    """An amount that cannot be meant, or cannot be said on this market; the message names what can."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How amounts of one market are written.  `decimals` are the quote mint's."""

    decimals: int
    lot_size: int
    price_floor: int
    tick_size: int

    def energy(self, text: str) -> Atoms:
        """Energy in kWh as text → GRID atoms.  Raises AmountError."""
        return Atoms(_atoms(text, GRID_DECIMALS, "kWh"))

    def money(self, text: str) -> Atoms:
        """An amount of money as text → quote atoms.  Raises AmountError."""
        return Atoms(_atoms(text, self.decimals, "of the currency"))

    def amount(self, asset: Asset, text: str) -> Atoms:
        """As `energy` or `money`."""
        return self.money(text) if asset is Asset.QUOTE else self.energy(text)

    def tradable(self, text: str) -> Atoms:
        """Energy in kWh as text → GRID atoms that are a whole number of lots, at least one.  Raises AmountError."""
        atoms = self.energy(text)
        lots, rest = divmod(atoms, self.lot_size)
        if rest or not 0 < lots <= MOST_LOTS:
            below = max(lots, 1)
            raise AmountError(
                f"{text} kWh is no whole number of lots of {self.kwh(self.lot_size)} kWh; "
                f"write {self.kwh(below * self.lot_size)} or {self.kwh((below + 1) * self.lot_size)}"
                if lots <= MOST_LOTS
                else f"{text} kWh is more than one order holds ({self.kwh(MOST_LOTS * self.lot_size)} kWh)"
            )
        return atoms

    def price(self, text: str) -> int:
        """Money per kWh as text → quote atoms per kWh, on the grid.  Raises AmountError."""
        atoms = _atoms(text, self.decimals, "per kWh")
        tick, off = divmod(atoms - self.price_floor, self.tick_size)
        if off or not 0 <= tick < TICKS:
            near = min(max(round(Decimal(atoms - self.price_floor) / self.tick_size), 0), TICKS - 1)
            low, high, nearest = (self.per_kwh(self.price_floor + n * self.tick_size) for n in (0, TICKS - 1, near))
            raise AmountError(
                f"a price of {text} per kWh is not on this market's grid: {low} to {high} in steps of "
                f"{self.per_kwh(self.tick_size)}; the nearest is {nearest}"
            )
        return atoms

    def kwh(self, atoms: int) -> str:
        """GRID atoms as kWh, exactly, without needless zeros."""
        return _text(atoms, GRID_DECIMALS)

    def lots(self, lots: int) -> str:
        """Lots as kWh."""
        return self.kwh(lots * self.lot_size)

    def coin(self, atoms: int) -> str:
        """Quote atoms as money, exactly, with two places at least."""
        return _text(atoms, self.decimals, at_least=min(2, self.decimals))

    def per_kwh(self, atoms: int) -> str:
        """A price as money per kWh, with three places at least."""
        return _text(atoms, self.decimals, at_least=min(3, self.decimals))

    def shown(self, asset: Asset, atoms: int) -> str:
        """As `kwh` or `coin`."""
        return self.coin(atoms) if asset is Asset.QUOTE else self.kwh(atoms)


def scale_of(chain: Chain, market: Market) -> Scale:
    """The scale of a market.  Raises ChainError if its quote mint is gone."""
    (info,) = chain.accounts([market.quote_mint])
    if info is None:
        raise ChainError(f"the quote mint {market.quote_mint} vanished from {chain.name}: try another RPC")
    return Scale(read_mint(info).decimals, market.lot_size, market.price_floor, market.tick_size)


def _atoms(text: str, decimals: int, unit: str) -> int:
    try:
        with localcontext() as context:
            context.prec = 60
            context.traps[InvalidOperation] = True
            scaled = Decimal(text.strip().replace("_", "")).scaleb(decimals)
            whole = int(scaled)
    except (DecimalException, ValueError, OverflowError):
        raise AmountError(f"{text!r} is no amount; write digits with a point, for example 1.25") from None
    if scaled != whole:
        raise AmountError(f"{text} {unit} has more than {decimals} decimals")
    if not 0 <= whole <= MOST_ATOMS:
        raise AmountError(f"{text} {unit} is out of bounds: 0 to {_text(MOST_ATOMS, decimals)}")
    return whole


def _text(atoms: int, decimals: int, *, at_least: int = 0) -> str:
    sign, digits = "-" if atoms < 0 else "", str(abs(atoms)).rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], digits[-decimals:]) if decimals else (digits, "")
    part = part.rstrip("0").ljust(at_least, "0")
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
