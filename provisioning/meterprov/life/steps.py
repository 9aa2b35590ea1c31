"""The steps of a change, as the operator sees them: what is done, what comes next and who does it.

A change needs papers from the node and hands at the meter, so it is walked in several runs.  Each run looks at chain
and manifest, does what the papers allow, and says what is missing.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import typer

from meterchain.commands.session import Session, described, tell_sent

UNFINISHED = 75
_MARKS = {"done": "✓", "would": "✓", "next": "→", "later": "·"}


class StepRefused(Exception):
    """A step would do harm as things are; nothing was sent for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of them.  `told` is what is so; `next_step` what a person does where it is not done."""

    name: str
    state: str
    """done, would (a rehearsal), next, or later."""
    told: str
    next_step: str | None = None


@dataclass
class Walk:
    """The steps so far; `goes_on` until one is not done."""

    steps: list[Step] = field(default_factory=list)
    rehearsal: bool = False

    @property
    def goes_on(self) -> bool:
        """True while every step so far is done."""
        return all(step.state == "done" for step in self.steps)

    @property
    def is_done(self) -> bool:
        """True if nothing is left; in a rehearsal, if nothing that it could not have done."""
        return all(step.state in {"done", "would"} for step in self.steps)

    def done(self, name: str, told: str) -> None:
        """The chain or the manifest has it."""
        self.steps.append(Step(name, "done", told))

    def sent(self, name: str, told: str) -> None:
        """It was done just now; in a rehearsal it would be, and what builds on it is left out."""
        self.steps.append(Step(name, "would" if self.rehearsal else "done", told))

    def waits(self, name: str, told: str, next_step: str) -> None:
        """Somebody has to do something first."""
        self.steps.append(Step(name, "next" if self.goes_on else "later", told, next_step))

    def later(self, *names: str) -> None:
        """Steps that come after one that is not done."""
        self.steps += [Step(name, "later", "") for name in names]


def conclude(walk: Walk, here: Session, document: dict[str, Any], *, as_json: bool) -> None:
    """Show the walk.  Leaves with 75 if it is not at its end, a rehearsal with 0."""
    if as_json:
        steps = [asdict(step) for step in walk.steps]
        outer = {"schema": 1, "dry_run": walk.rehearsal, **document, "done": walk.is_done and not walk.rehearsal}
        typer.echo(json.dumps({**outer, "steps": steps, "sent": described(here)}))
    else:
        _show(walk.steps)
        tell_sent(here)
    if not walk.is_done and not walk.rehearsal:
        raise typer.Exit(UNFINISHED)


def _show(steps: Sequence[Step]) -> None:
    width = max(len(step.name) for step in steps) + 2
    for step in steps:
        typer.echo(f"{_MARKS[step.state]} {step.name:<{width}}{step.told}".rstrip())
        if step.state == "next" and step.next_step:
            typer.echo(f"  {'':<{width}}{step.next_step}")
