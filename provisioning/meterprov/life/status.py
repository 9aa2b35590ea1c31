"""Where each node of a site stands, from the manifest and the chain: imaged, written, booted, enrolled, heard of.

A node is stale if its meter is active and the chain has taken no record of it for too long.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from meterchain.accounts import Meter, MeterState, MeterStatus, fetch_many
from meterchain.commands.session import Session
from meteredge.config import load
from meterprov import manifest as facts
from meterprov.fingerprint import fingerprint
from meterprov.first_boot.outcome import OUTCOME, read_outcome
from meterprov.site_file import SiteFile


class CardError(Exception):
    """The folder of a card does not tell how its node's first boot went."""


@dataclass(frozen=True)
class NodeLine:
    """One node.  Times are Unix seconds; None where it has not come to that."""

    meter_id: str
    generation: int | None = None
    """Of the newest image."""
    imaged_at: int | None = None
    flashed_at: int | None = None
    booted: str | None = None
    """`done`, the step of the first boot that failed, or `claimed` where only the claim was seen."""
    board_serial: str | None = None
    status: str | None = None
    """Of the meter in the registry."""
    install_id: int | None = None
    fingerprint: str | None = None
    """Of the key in the registry."""
    key_level: str | None = None
    """As the registry names it."""
    last_record_at: int | None = None
    age_s: int | None = None
    stale: bool = False
    next_step: str | None = None


def node_lines(
    here: Session, site: SiteFile, manifest: Sequence[facts.AnyFact], now: int, stale_after_s: int
) -> list[NodeLine]:
    """A line for each meter of the site file, in its order.  Raises what the chain raises."""
    names = [meter.id for meter in site.meters]
    meters = fetch_many(here.chain, here.programs, Meter, [here.site.meter(name) for name in names])
    states = fetch_many(here.chain, here.programs, MeterState, [here.site.meter_state(name) for name in names])
    return [
        _line(name, _of(name, manifest), meter, state, now, stale_after_s)
        for name, meter, state in zip(names, meters, states, strict=True)
    ]


def booted(folder: Path, at: int) -> facts.Booted:
    """What the card's folder `meterbridge` says of its node's first boot.  Raises CardError, ConfigError."""
    outcome = read_outcome(folder)
    if "ok" not in outcome:
        raise CardError(
            f"{folder}: no {OUTCOME} there yet; name the folder meterbridge of a card that was in its node, powered"
        )
    key, claim = outcome.get("meter_key"), outcome.get("claim")
    return facts.Booted(
        at=at,
        meter_id=load(folder / "agent.toml").meter.id,
        ok=bool(outcome["ok"]),
        step=str(outcome.get("step")),
        board_serial=outcome.get("board_serial"),
        fingerprint=None if key is None else fingerprint(key),
        claim=None if claim is None else str(claim.get("state")),
    )


def _of(meter_id: str, manifest: Iterable[facts.AnyFact]) -> list[facts.AnyFact]:
    """The facts of one meter, cards written with one of its images among them."""
    found: list[facts.AnyFact] = []
    images: set[str] = set()
    for fact in manifest:
        if isinstance(fact, facts.ImageMade) and fact.meter_id == meter_id:
            images.add(fact.image_sha256)
        if fact.meter_id == meter_id or (isinstance(fact, facts.Flashed) and fact.image_sha256 in images):
            found.append(fact)
    return found


def _line(
    meter_id: str,
    ours: Sequence[facts.AnyFact],
    meter: Meter | None,
    state: MeterState | None,
    now: int,
    stale_after_s: int,
) -> NodeLine:
    image = next((fact for fact in reversed(ours) if isinstance(fact, facts.ImageMade)), None)
    since = ours if image is None else ours[ours.index(image) :]
    card = next((fact for fact in reversed(since) if isinstance(fact, facts.Flashed)), None)
    boot = next((fact for fact in reversed(since) if isinstance(fact, facts.Booted)), None)
    key = next((fact for fact in reversed(ours) if isinstance(fact, facts.Enrolled | facts.KeyRotated)), None)
    claimed = key is not None and key in since
    line = NodeLine(meter_id, next_step=_before_the_chain(meter_id, image, card, boot))
    if image is not None:
        line = replace(line, generation=image.generation, imaged_at=image.at)
    if card is not None:
        line = replace(line, flashed_at=card.at)
    if claimed and key is not None:
        line = replace(line, booted="claimed", board_serial=key.board_serial)
    if boot is not None:
        line = replace(line, booted="done" if boot.ok else boot.step, board_serial=boot.board_serial)
    if meter is None:
        return line
    read = state is not None and state.install_id == meter.install_id and state.seq > 0
    last = state.last_ts if state is not None and read else None
    age_s = now - (meter.status_changed_at if last is None else last)
    stale = meter.status is MeterStatus.ACTIVE and age_s > stale_after_s
    return replace(
        line,
        status=meter.status.name.lower(),
        install_id=meter.install_id,
        fingerprint=fingerprint(str(meter.meter_key)),
        key_level=meter.key_level.word,
        last_record_at=last,
        age_s=None if last is None else age_s,
        stale=stale,
        next_step=_on_the_chain(meter, key, stale=stale, read=read, renewed=image is not None and not claimed),
    )


def _before_the_chain(
    meter_id: str, image: facts.ImageMade | None, card: facts.Flashed | None, boot: facts.Booted | None
) -> str:
    if boot is not None and not boot.ok:
        return f"the first boot failed at {boot.step}: outcome.json on its card says why"
    if boot is not None and boot.claim == "waiting":
        return "the meter does not answer its node: meterbridge doctor there"
    if boot is not None and boot.claim == "not ordered":
        return "its card named no owner: on the node meterbridge agent claim --owner WALLET, then provision enrol"
    if boot is not None:
        return "meterbridge provision enrol CLAIM"
    if card is not None:
        return "put the card in, power it, then --card its folder meterbridge"
    if image is not None:
        return f"meterbridge provision flash {image.image} /dev/sdX"
    return f"meterbridge provision image BASE --node {meter_id} -o {meter_id}.img"


def _on_the_chain(
    meter: Meter, key: facts.Enrolled | facts.KeyRotated | None, *, stale: bool, read: bool, renewed: bool
) -> str | None:
    if meter.status is MeterStatus.DECOMMISSIONED:
        return None
    if key is not None and key.fingerprint != fingerprint(str(meter.meter_key)):
        return f"the registry has another key than this manifest ({key.fingerprint}): meterbridge meter show"
    if stale:
        return "nothing is heard of it: meterbridge doctor on the node"
    if meter.status is not MeterStatus.ACTIVE:
        return (
            f"it is {meter.status.name.lower()}: finish what was begun (provision replace, provision decommission), or "
            f"meterbridge meter status {meter.meter_id} active"
        )
    if key is not None and renewed:
        return f"a newer card was made: meterbridge provision re-provision {meter.meter_id}"
    return None if read else "the first record comes with the next slot"
