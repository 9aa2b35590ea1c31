"""Before a program is replaced: are the accounts that it left behind laid out as the new one reads them?"""

from collections.abc import Sequence

from meterchain.accounts import LAYOUT_VERSION
from meterchain.chain import Chain
from meterchain.commands.costs import account_size
from meterchain.programs import Programs
from meterchain.site import SiteError

_SHOWN = 3


class OtherLayout(SiteError):
    """Accounts of another layout are there, and this release has no migration for them."""


def refuse_other_layouts(chain: Chain, programs: Programs, names: Sequence[str]) -> None:
    """Raises OtherLayout if the programs `names` have accounts of another version, or shorter ones, on the chain."""
    for name in names:
        idl = programs[name]
        for shape in idl.raw["accounts"]:
            kind, head = shape["name"], bytes(shape["discriminator"])
            size = account_size(idl, kind)
            found = chain.program_accounts(idl.program_id, head).values()
            odd = [info for info in found if len(info.data) < size or info.data[len(head)] != LAYOUT_VERSION]
            if odd:
                which = ", ".join(str(info.address) for info in odd[:_SHOWN])
                more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
                raise OtherLayout(
                    f"{len(odd)} {kind} accounts of {name} ({which}{more}) are of layout version "
                    f"{odd[0].data[len(head)]} or {len(odd[0].data)} bytes long; this release reads version "
                    f"{LAYOUT_VERSION} of {size} bytes and has no migration for them: nothing was upgraded"
                )
