"""What a node says of its journal (`meterbridge agent status --json`), read before its meter's install ends.

A record counts under the install that it names: what a node has not delivered when the next install begins is lost.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meterchain.accounts import Meter, MeterState
from meterchain.claim import ClaimError
from meterchain.site import SiteError

_MOST = 65_536
_DONE = ("final", "refused")


class Undelivered(SiteError):
    """The node still has records that the chain has not, or nobody said that it has none."""


class NodeStatus(BaseModel):
    """What the document says of one meter, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    meter_id: str
    records: Mapping[str, Annotated[int, Field(ge=0)]]
    install_id: int | None = None
    last_seq: int | None = None

    @property
    def undelivered(self) -> dict[str, int]:
        """How many records are in each state from which the chain could still take them."""
        return {state: number for state, number in self.records.items() if number and state not in _DONE}


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_: Annotated[Literal[2], Field(alias="schema")]
    meters: Annotated[tuple[NodeStatus, ...], Field(min_length=1)]


def read_node_status(path: Path, meter_id: str) -> NodeStatus:
    """What the document in the file at `path` says of that meter.

    Raises ClaimError if it is none, Undelivered if it is of other meters.
    """
    try:
        with path.open("rb") as file:
            meters = _Document.model_validate(json.loads(file.read(_MOST))).meters
    except OSError as error:
        raise ClaimError(f"{path}: the node's status cannot be read ({error.strerror})") from error
    except (ValidationError, ValueError):
        raise ClaimError(f"{path}: not what `meterbridge agent status --json` prints; print it again") from None
    for meter in meters:
        if meter.meter_id == meter_id:
            return meter
    whose = ", ".join(meter.meter_id for meter in meters)
    raise Undelivered(f"--node-status is of {whose}, not of {meter_id}: take the right node's")


def refuse_undelivered(status: NodeStatus | None, meter: Meter, state: MeterState | None, *, force: bool) -> None:
    """Raises Undelivered unless the node has delivered all of this install, or `force` says that it never will."""
    if status is None:
        if not force:
            raise Undelivered(
                f"does the node of {meter.meter_id} still have records to deliver? They are lost when another install "
                "begins. Show that there are none, with --node-status FILE (what `meterbridge agent status --json` "
                "prints there), or write --force if the node is gone"
            )
        return
    if status.install_id != meter.install_id:
        raise Undelivered(
            f"--node-status is of install {status.install_id}, {meter.meter_id} is at {meter.install_id}: print it "
            "again on the node whose install ends"
        )
    if state and state.install_id == meter.install_id and state.seq > (status.last_seq or 0):
        raise Undelivered(
            f"--node-status ends at record {status.last_seq or 0}, the chain has {state.seq} already: it is old, or of "
            "another journal; print it again"
        )
    if left := status.undelivered:
        words = ", ".join(f"{number} {state}" for state, number in left.items())
        raise Undelivered(
            f"the node of {meter.meter_id} has not delivered all: {words}. Let it: `meterbridge meter status "
            f"{meter.meter_id} active`, wait for the agent, then maintenance again, and print its status anew"
        )
