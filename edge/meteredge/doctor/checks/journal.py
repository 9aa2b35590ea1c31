"""The journal and the agent that writes it: how much waits, how old the last record on chain is."""

from meteredge.doctor.facts import AgentFacts, Facts, JournalFacts, Unknown
from meteredge.doctor.sheet import Check, Line

SLOT_S = 900
LATE_AFTER_S = 3 * SLOT_S
"""A record older than this was not followed by the next ones."""
MANY_WAITING = 96
"""A day's records."""
STALE_S = 120.0
"""The agent writes its status every few seconds."""

_DEPTH = Line("journal", "journal", "journal")
_LAST = Line("journal", "last_record", "last record on chain")
_AGENT = Line("journal", "agent", "agent")


def depth(facts: Facts) -> Check:
    """Few records wait, none is held."""
    journal = facts.journal
    if journal is None:
        return _DEPTH.left_out("none yet: the agent makes it when it first runs")
    if isinstance(journal, Unknown):
        fact, _, step = journal.why.partition("; ")
        return _DEPTH.failed(fact, step or "run the doctor as the agent's user or as root")
    held = journal.records.get("held", 0) + journal.records.get("stopped", 0)
    waiting = journal.records.get("closed", 0) + journal.records.get("sent", 0) + held
    total = sum(journal.records.values())
    told = f"{total} records, {waiting} waiting"
    said = ", ".join(f"{code} ({number})" for code, number in journal.codes.items())
    if held:
        return _DEPTH.failed(
            f"{told}, {held} held: {said}", "nothing is lost; `meterbridge agent status` says what to do about each"
        )
    if waiting >= MANY_WAITING:
        return _DEPTH.warned(f"{told}: the chain has not taken them", "see the lines about the chain; they are kept")
    return _DEPTH.passed(told + (f"; the chain refused {said}, later records carry their energy" if said else ""))


def last_record(facts: Facts) -> Check:
    """The chain has a recent record of this meter, and the journal agrees."""
    chain = facts.chain
    if isinstance(chain, Unknown) or chain.meter is None:
        return _LAST.left_out("the chain did not answer, or has no such meter")
    account = chain.account
    if account is None or account.seq == 0:
        return _LAST.left_out("none yet")
    age_s = facts.now - account.last_ts
    told = f"number {account.seq}, {_age(age_s)} ago"
    ours = facts.journal if isinstance(facts.journal, JournalFacts) else None
    if ours and _is_behind(ours, account.install_id, account.seq):
        return _LAST.warned(
            f"{told}; this journal ends at number {ours.last_seq or 0}",
            "a card was exchanged, or another node signs with this key: let the agent reconcile, then look again",
        )
    if age_s > LATE_AFTER_S and facts.agent.running:
        return _LAST.warned(told, "see the lines about journal, chain and meter: one of them holds the next ones up")
    if age_s > LATE_AFTER_S:
        return _LAST.warned(f"{told}; no agent runs", "start it: systemctl start meterbridge-agent")
    return _LAST.passed(told)


def _is_behind(journal: JournalFacts, install_id: int, seq: int) -> bool:
    return journal.install_id == install_id and (journal.last_seq or 0) < seq


def agent(facts: Facts) -> Check:
    """It runs, and nothing stands in its way."""
    said: AgentFacts = facts.agent
    if not said.running:
        return _AGENT.warned("not running", "start it: systemctl start meterbridge-agent, or `meterbridge agent run`")
    told = f"running (process {said.pid})"
    if said.stopped:
        return _AGENT.failed(f"stopped signing: {said.stopped}", "call the operator before it is started again")
    if said.written_at is not None and facts.now - said.written_at > STALE_S:
        return _AGENT.failed(
            f"{told}, but said nothing for {_age(facts.now - said.written_at)}",
            "restart it: systemctl restart meterbridge-agent, and keep its log",
        )
    if problem := said.slot_problem or said.delivery_problem:
        fact, _, step = problem.partition("; ")
        return _AGENT.warned(f"{told}: {fact}", step or "it tries again by itself; look again in some minutes")
    return _AGENT.passed(told)


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
