"""One meter's account book on chain: looking at it, and the transactions that a node pays for.

Everything that this package asks of the chain goes through here; what it believes comes from accounts alone, never from
the word of whoever delivered a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from meterchain import instructions as build
from meterchain import pdas, settling, transactions
from meterchain.accounts import Meter, MeterState, OracleConfig, parse
from meterchain.chain import BadTransaction, Chain, Commitment, Receipt
from meterchain.ed25519 import Signed
from meterchain.instructions import SignedRecord
from meterchain.programs import Programs
from meterchain.settling import Dues
from meteredge.journal import Row

ROWS_PER_TRANSACTION = 4
"""Records of one meter that fit a transaction of 1,232 bytes, limit and salt included, without a lookup table."""
_SUBMIT_UNITS, _SUBMIT_UNITS_PER_ROW = 10_000, 5_000


@dataclass(frozen=True, slots=True)
class View:
    """What the chain shows of a meter at one commitment.  `state` is None until `open_state`."""

    domain: bytes
    meter: Meter
    state: MeterState | None


class Ledger:
    """The chain, seen by one meter's node.

    `relayer` pays; None where a relay does, and then nothing can be sent from here.  `meter_key` is the public half of
    what signs.
    """

    def __init__(
        self, chain: Chain, programs: Programs, relayer: Keypair | None, meter_id: str, meter_key: Pubkey
    ) -> None:
        self.chain = chain
        self.meter_id = meter_id
        self._meter_key = bytes(meter_key)
        self._programs = programs
        self._relayer = relayer
        self._meter = pdas.meter(programs, meter_id)
        self._state = pdas.meter_state(programs, self._meter)
        self._oracle = pdas.oracle(programs)

    def rekey(self, meter_key: Pubkey) -> None:
        """Records that are submitted from now on are signed with the private half of `meter_key`."""
        self._meter_key = bytes(meter_key)

    def look(self, commitment: Commitment) -> View | None:
        """The meter's accounts; None while site or meter are not there.  Raises ChainUnreachable, AccountError."""
        oracle, meter, state = self.chain.accounts([self._oracle, self._meter, self._state], commitment=commitment)
        if oracle is None or meter is None or not oracle.data or not meter.data:
            return None
        return View(
            parse(self._programs, OracleConfig, oracle).domain,
            parse(self._programs, Meter, meter),
            None if state is None or not state.data else parse(self._programs, MeterState, state),
        )

    def open_state(self, salt: int) -> Receipt:
        """Open the oracle's account of the meter.  Raises as Chain.send does."""
        return self._send([build.init_meter_state(self._programs, self._payer.pubkey(), self.meter_id)], salt)

    def submit(self, rows: Sequence[Row], salt: int) -> Receipt:
        """Deliver up to ROWS_PER_TRANSACTION records in the order of seq.  Raises as Chain.send does."""
        return self.chain.send(self._submission(self._payer.pubkey(), rows, salt), [self._payer])

    def rehearse(self, row: Row, *, opened: bool) -> None:
        """Ask the chain whether it would take a record now; nothing is sent or paid, no wallet of ours is needed.

        Unless the oracle's account of the meter is `opened`, that is rehearsed with it.

        Raises TransactionFailed as `submit` would, other ChainErrors if the chain cannot say.
        """
        (info,) = self.chain.accounts([self._oracle])
        if info is None:
            raise BadTransaction("there is no oracle on this chain")
        oracle = parse(self._programs, OracleConfig, info)
        # Somebody has to stand there as the payer: one who may deliver, and whose account exists.
        payer = oracle.relayers[0] if oracle.relayer_mode else oracle.engineering_authority
        first = [] if opened else [build.init_meter_state(self._programs, payer, self.meter_id)]
        self.chain.simulate(self._submission(payer, [row], 0, first), payer)

    def dues(self, state: MeterState) -> Dues:
        """What settling would move.  Raises ChainUnreachable."""
        return settling.dues(self.chain, self._programs, state)

    def settle(self, dues: Dues, salt: int) -> Receipt:
        """Mint and burn what is due; opens the owner's GRID account if there is none.  Raises as Chain.send does."""
        return self._send(settling.settle(self._programs, self._payer.pubkey(), self.meter_id, dues), salt)

    @property
    def _payer(self) -> Keypair:
        if self._relayer is None:
            raise BadTransaction("this node has no wallet: a relay delivers for it")
        return self._relayer

    def _submission(
        self, relayer: Pubkey, rows: Sequence[Row], salt: int, first: Sequence[Instruction] = ()
    ) -> list[Instruction]:
        records = [SignedRecord(row.record, Signed(self._meter_key, row.signature)) for row in rows]
        units = _SUBMIT_UNITS + _SUBMIT_UNITS_PER_ROW * len(rows) + settling.SETTLE_UNITS * len(first)
        before = [*self._preamble(salt, units), *first]
        return [*before, *build.submit_meter_data(self._programs, relayer, records, position=len(before))]

    def _send(self, asked: list[Instruction], salt: int) -> Receipt:
        return self.chain.send([*self._preamble(salt, settling.SETTLE_UNITS), *asked], [self._payer])

    @staticmethod
    def _preamble(salt: int, units: int) -> list[Instruction]:
        return [transactions.compute_limit(units), transactions.salt(salt)]
