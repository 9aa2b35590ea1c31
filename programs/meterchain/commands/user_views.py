"""How a user looks: to people as rows, to machines as a document; and the words that name one."""

from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

import typer
from solders.pubkey import Pubkey

from meterchain import pdas
from meterchain.accounts import Meter, User, fetch, fetch_all
from meterchain.commands.costs import ATOMS_PER_GRID, in_grid
from meterchain.commands.session import NotFound, Row, Session
from meterchain.tokens import read_token_account
from meterchain.units import Atoms

MOST_ATOMS = 2**64 - 1

Kind: TypeAlias = Literal["prosumer", "consumer"]
Part: TypeAlias = Literal["student", "faculty", "department"]


def atoms_of(kwh: str, *, least: int = 1) -> Atoms:
    """The atoms of `kwh`, as people write it, exactly.  Raises typer.BadParameter, also for less than `least` atoms."""
    try:
        atoms = Decimal(kwh) * ATOMS_PER_GRID
        if not least <= atoms <= MOST_ATOMS or atoms != int(atoms):
            raise InvalidOperation
    except (InvalidOperation, ValueError):
        raise typer.BadParameter(f"{kwh!r}: a number of kWh above 0 with at most 9 decimals is expected") from None
    return Atoms(int(atoms))


def user_of(here: Session, wallet: Pubkey) -> User:
    """The User of that wallet.  Raises NotFound."""
    found = fetch(here.chain, here.programs, User, pdas.user(here.programs, wallet))
    if found is None:
        raise NotFound(f"{wallet} is not registered on {here.chain.name}: run `meterbridge user register {wallet}`")
    return found


def summary(user: User) -> dict[str, Any]:
    """The user for `--json`, without what he has."""
    return {
        "wallet": str(user.wallet),
        "type": user.user_type.name.lower(),
        "role": user.role.name.lower(),
        "status": user.status.name.lower(),
        "meters": user.meter_count,
        "location": user.location,
        "registered_at": user.registered_at,
    }


def shown(here: Session, wallet: Pubkey) -> tuple[dict[str, Any], list[Row]]:
    """The user as he is now; in a rehearsal of his registration he is not there yet."""
    user = fetch(here.chain, here.programs, User, pdas.user(here.programs, wallet))
    if user is None:
        return {"wallet": str(wallet)}, [("wallet", str(wallet))]
    (info,) = here.chain.accounts([here.site.grid_account(wallet)])
    account = read_token_account(info) if info and info.data else None
    ours = account is not None and account.delegate == pdas.burner(here.programs)
    meters = [meter.meter_id for meter in _meters_of(here, user)]
    document = {
        **summary(user),
        "meter_ids": meters,
        "grid_account": str(account.address) if account else None,
        "grid_atoms": account.amount if account else 0,
        "approved_atoms": account.delegated_amount if account and ours else 0,
    }
    return document, [
        ("wallet", str(wallet)),
        ("user", f"{document['type']}, {document['role']}, {document['status']}"),
        ("location", user.location or "none"),
        ("meters", ", ".join(meters) or "none"),
        ("GRID", f"{in_grid(document['grid_atoms'])} in {document['grid_account'] or 'no account'}"),
        ("may burn", in_grid(document["approved_atoms"])),
    ]


def _meters_of(here: Session, user: User) -> list[Meter]:
    if not user.meter_count:
        return []
    found = fetch_all(here.chain, here.programs, Meter).values()
    return sorted((meter for meter in found if meter.owner == user.wallet), key=lambda meter: meter.meter_id)
