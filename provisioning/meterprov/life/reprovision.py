"""Another card for the same meter: a new instance, made, written, booted; its key takes the place of the old one."""

from dataclasses import dataclass
from pathlib import Path

from solders.keypair import Keypair

from meterchain.accounts import Meter, MeterState, MeterStatus, fetch
from meterchain.claim import Claim
from meterchain.commands.claimed import rotate_claimed
from meterchain.commands.meter_views import meter_of
from meterchain.commands.session import Session
from meterprov import manifest as facts
from meterprov.fingerprint import fingerprint
from meterprov.image import Order
from meterprov.image_cli import programs_beside
from meterprov.life.options import Office
from meterprov.life.papers import void_labels
from meterprov.life.steps import StepRefused, Walk
from meterprov.payload import install_script

IMAGE, CARD, KEY, RETIRED, READING = "image", "card", "new key", "old key", "first record"


@dataclass(frozen=True)
class Lives:
    """What the manifest says of a meter's nodes: the newest image, and the last one whose key the registry has."""

    newest: facts.ImageMade | None
    in_use: int | None
    """Its generation; None if no image was made before the meter's key was."""

    @property
    def made(self) -> facts.ImageMade | None:
        """The image of the next life, if it was made already."""
        newer = self.newest is not None and (self.in_use is None or self.newest.generation > self.in_use)
        return self.newest if newer and self.newest is not None and self.newest.generation > 1 else None

    @property
    def next_generation(self) -> int:
        """What the next image counts."""
        return (self.newest.generation if self.newest else 1) + 1


def lives_of(office: Office, meter_id: str) -> Lives:
    """Raises ManifestError."""
    newest: facts.ImageMade | None = None
    in_use: int | None = None
    for fact in facts.read(office.manifest):
        if fact.meter_id == meter_id and isinstance(fact, facts.ImageMade):
            newest = fact
        elif fact.meter_id == meter_id and isinstance(fact, facts.Enrolled | facts.KeyRotated):
            in_use = newest.generation if newest else None
    return Lives(newest, in_use)


def order_of(office: Office, meter: Meter, base: Path, output: Path) -> Order:
    """The image of the next life; its node claims for the meter's present install.  Raises PayloadError."""
    programs = programs_beside(office.path, office.site)
    generation = lives_of(office, meter.meter_id).next_generation
    return Order(
        office.site, office.site.meter(meter.meter_id), base, output, install_script(), generation, programs,
        claim_install=meter.install_id,
    )  # fmt: skip


def renew_node(
    walk: Walk, here: Session, office: Office, signer: Keypair, meter_id: str, claim: Claim | None, at: int
) -> None:
    """Walk from the image (made already, or not) to the first record.  Raises StepRefused and what the chain raises."""
    meter = meter_of(here, meter_id)
    if meter.status is MeterStatus.DECOMMISSIONED:
        raise StepRefused(f"{meter_id} is decommissioned, for ever: a new node would measure for nobody")
    rotated = _rotation(office, meter)
    if claim is None and rotated is None:
        _card(walk, office, meter_id)
    else:
        walk.done(IMAGE, "the node has made its claim")
        walk.done(CARD, "the node has booted")
    if not walk.goes_on:
        walk.later(KEY, RETIRED, READING)
        return
    if claim is None and rotated is None:
        walk.waits(KEY, "the new node has not been claimed", "put the card in, wait for the claim on it; then --claim")
        walk.later(RETIRED, READING)
        return
    if claim is not None:
        _rotate(walk, here, office, signer, meter, claim, at)
        if not walk.goes_on:
            walk.later(RETIRED, READING)
            return
        rotated = _rotation(office, meter_of(here, meter_id))
    else:
        walk.done(KEY, f"{fingerprint(str(meter.meter_key))}")
    _retired(walk, here, meter_id, rotated)


def _card(walk: Walk, office: Office, meter_id: str) -> None:
    lives = lives_of(office, meter_id)
    made = lives.made
    if made is None:
        walk.waits(
            IMAGE,
            f"generation {lives.next_generation} has not been made",
            f"run this with --base RASPBERRY_PI_OS.img.xz -o {meter_id}.img",
        )
        walk.later(CARD)
        return
    walk.done(IMAGE, f"{made.image}, instance {made.instance}")
    if any(isinstance(f, facts.Flashed) and f.image_sha256 == made.image_sha256 for f in facts.read(office.manifest)):
        walk.done(CARD, "written and read back")
    else:
        walk.waits(CARD, "not written", f"meterbridge provision flash {made.image} /dev/sdX")


def _rotate(walk: Walk, here: Session, office: Office, signer: Keypair, meter: Meter, claim: Claim, at: int) -> None:
    if claim.meter_id != meter.meter_id:
        raise StepRefused(f"the claim is of {claim.meter_id}, not of {meter.meter_id}: take the right card's")
    new, old = fingerprint(claim.public_key), fingerprint(str(meter.meter_key))
    rotate_claimed(here, signer, claim)
    if new == old and _rotation(office, meter) is None and (not meter.key_rotated_at or new in _keys(office, meter)):
        raise StepRefused(
            f"the claim is of the key that {meter.meter_id} has already ({new}): the new node makes one of its own; "
            "take the claim from its card"
        )
    if walk.rehearsal and new != old:
        walk.sent(KEY, f"{new} instead of {old}")
        return
    if not walk.rehearsal:
        before = old if new != old else next((key for key in reversed(_keys(office, meter)) if key != new), None)
        if _rotation(office, meter_of(here, meter.meter_id)) is None:
            facts.append_once(office.manifest, _fact(claim, new, before, at))
        void_labels(office.manifest, meter.meter_id, new, at, also=before)
    walk.done(KEY, new)


def _retired(walk: Walk, here: Session, meter_id: str, rotated: facts.KeyRotated | None) -> None:
    meter = meter_of(here, meter_id)
    old = (rotated and rotated.retired) or "it"
    walk.done(RETIRED, f"{old} is retired for ever; its label is void, print a new one")
    state = fetch(here.chain, here.programs, MeterState, here.site.meter_state(meter_id))
    if state is not None and state.last_accept_ts > meter.key_rotated_at:
        walk.done(READING, f"number {state.seq}, signed by the new key, verified on the chain")
    else:
        walk.waits(READING, "none by the new key yet", "it comes with the next slot; then run this again")


def _rotation(office: Office, meter: Meter) -> facts.KeyRotated | None:
    """The rotation that made the present key, if no newer card was made since: the end of this change, or none."""
    key, found = fingerprint(str(meter.meter_key)), None
    for fact in facts.read(office.manifest):
        if fact.meter_id != meter.meter_id:
            continue
        if isinstance(fact, facts.KeyRotated) and fact.fingerprint == key:
            found = fact
        elif isinstance(fact, facts.ImageMade):
            found = None
    return found


def _keys(office: Office, meter: Meter) -> list[str]:
    """Fingerprints of the meter's keys in their order, as far as the manifest has them."""
    return [
        fact.fingerprint
        for fact in facts.read(office.manifest)
        if isinstance(fact, facts.Enrolled | facts.KeyRotated) and fact.meter_id == meter.meter_id
    ]


def _fact(claim: Claim, new: str, old: str | None, at: int) -> facts.KeyRotated:
    node = claim.node
    return facts.KeyRotated(
        at=at, meter_id=claim.meter_id, install_id=claim.install_id, fingerprint=new, retired=old,
        board_serial=None if node is None else node.board_serial, key_level=None if node is None else node.key_level,
    )  # fmt: skip
