"""Another device in a meter's place: the old install ended with its final record, the new one begun by a claim."""

from dataclasses import dataclass

from solders.keypair import Keypair

from meterchain.accounts import Meter, MeterStatus
from meterchain.claim import Claim
from meterchain.commands.claimed import Wanted, replace_claimed
from meterchain.commands.meter_views import meter_of
from meterchain.commands.session import Session
from meteredge.doctor.sheet import Check
from meteredge.profiles import load
from meterprov import manifest as facts
from meterprov.fingerprint import fingerprint
from meterprov.life.ending import DELIVERED, FINAL, MAINTENANCE, Papers, end_install
from meterprov.life.enrol import verified
from meterprov.life.judgement import Case, Vouched, judge, refusals
from meterprov.life.options import Office
from meterprov.life.papers import enrolled, first_reading, void_labels
from meterprov.life.steps import Walk

REPLACED, ACTIVE, READING = "replaced", "active", "first record"


@dataclass(frozen=True)
class Change:
    """What the operator brings to a run."""

    meter_id: str
    papers: Papers
    claim: Claim | None
    vouched: Vouched
    cert_hash: bytes = bytes(32)


@dataclass
class Judged:
    """What was found of the claim; empty until there is one."""

    checks: tuple[Check, ...] = ()
    refused: bool = False
    """The claim forbids what would come next."""


def replace_meter(
    walk: Walk, here: Session, office: Office, signer: Keypair, change: Change, at: int, judged: Judged
) -> None:
    """Walk as far as the papers allow.  Raises Undelivered, StepRefused, ClaimError, NotNow, what the chain raises.

    A claim that is refused stops the walk, and `judged` says why.
    """
    meter, claim = meter_of(here, change.meter_id), change.claim
    if claim is not None and _is_there(meter, claim):
        for name in (DELIVERED, MAINTENANCE, FINAL):
            walk.done(name, f"install {claim.install_id - 1} has ended")
        judged.checks = judge(_case(office, change, claim, claim.install_id))
    else:
        end_install(walk, here, office, signer, change.meter_id, change.papers, at)
        if not walk.goes_on:
            walk.later(REPLACED, ACTIVE, READING)
            return
        if claim is None:
            walk.waits(REPLACED, "the new device has not been claimed", _how_to_claim(meter))
            walk.later(ACTIVE, READING)
            return
        case = _case(office, change, claim, meter.install_id + 1)
        judged.checks = judge(case)
        if refusals(judged.checks):
            judged.refused = True
            walk.waits(REPLACED, "the claim is refused", "put right what is told above, then run this again")
            walk.later(ACTIVE, READING)
            return
        wanted = Wanted(None, None, case.meter.max_export_w, case.meter.max_import_w, change.cert_hash)
        replace_claimed(here, signer, claim, wanted, lambda _meter, _state: None)
    _begun(walk, here, office, change, claim, meter, at, judged)


def _begun(
    walk: Walk, here: Session, office: Office, change: Change, claim: Claim, before: Meter, at: int, judged: Judged
) -> None:
    if walk.rehearsal and not _is_there(meter_of(here, change.meter_id), claim):
        walk.sent(REPLACED, f"by {claim.model} serial {claim.serial}, install {claim.install_id}")
        walk.later(ACTIVE, READING)
        return
    walk.done(REPLACED, f"by {claim.model} serial {claim.serial}, install {claim.install_id}")
    if not walk.rehearsal:
        keeps, also = fingerprint(claim.public_key), fingerprint(str(before.meter_key))
        void_labels(office.manifest, claim.meter_id, keeps, at, also=also)
        facts.append_once(office.manifest, enrolled(_case(office, change, claim, claim.install_id), judged.checks, at))
    now = meter_of(here, change.meter_id)
    if now.status is MeterStatus.ACTIVE:
        walk.done(ACTIVE, "the chain takes its records")
    else:
        how = f"meterbridge meter status {change.meter_id} active"
        walk.waits(ACTIVE, f"it is {now.status.name.lower()}", how)
    found = verified(here, change.meter_id, claim.install_id)
    if found is None:
        walk.waits(READING, "none yet", "start the agent (systemctl start meterbridge-agent), then run this again")
        return
    if not walk.rehearsal:
        facts.append_once(office.manifest, first_reading(claim, found, at))
    walk.done(READING, f"number {found.seq}, verified on the chain; print a new label (provision label --claim)")


def _is_there(meter: Meter, claim: Claim) -> bool:
    return (meter.install_id, str(meter.meter_key)) == (claim.install_id, claim.public_key)


def _case(office: Office, change: Change, claim: Claim, install_id: int) -> Case:
    meter = office.site.meter(change.meter_id)
    return Case(claim, office.site, meter, load(meter.profile), change.vouched, install_id)


def _how_to_claim(meter: Meter) -> str:
    return (
        "swap the device; write its serial number (and model) into the site file and the node's agent.toml; on the "
        f"node: meterbridge agent claim --rotate --owner {meter.owner} --install {meter.install_id + 1} > claim.json; "
        "then --claim claim.json"
    )
