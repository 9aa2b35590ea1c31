"""The doctor's sheet as data: one line a check, each with its fact and, where something is wrong, the next step.

Free of everything that draws: the command, the status page and the support bundle show the same sheet.

    {"schema": 1, "meter_id": "METER_001", "made_at": 1782043200.0, "worst": "warn", "checks": [
        {"section": "port", "name": "latency", "title": "latency timer", "verdict": "warn",
         "fact": "the adapter holds bytes back for 16 ms", "next_step": "install the udev rule: …"}, …]}

`verdict` is pass, warn, fail or not applicable; `next_step` is null where there is nothing to do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SCHEMA = 1
SECTIONS = ("port", "wire", "meter", "time", "key", "chain", "journal", "host")
"""In the order of the sheet: from the terminals to the chain, then the machine."""


class Verdict(StrEnum):
    """What a check found."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"
    NOT_APPLICABLE = "not applicable"


_RANK = {Verdict.NOT_APPLICABLE: 0, Verdict.PASS: 0, Verdict.WARN: 1, Verdict.FAIL: 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One line.  `name` is stable and for machines, `title` for people."""

    section: str
    name: str
    title: str
    verdict: Verdict
    fact: str
    next_step: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a line that says that something is wrong, but not what to do."""
        if self.section not in SECTIONS:
            raise ValueError(f"{self.section!r} is no section of the sheet: {', '.join(SECTIONS)}")
        if (self.verdict in {Verdict.WARN, Verdict.FAIL}) != bool(self.next_step):
            raise ValueError(f"{self.name}: a warning or failure has a next step, anything else has none")


@dataclass(frozen=True, slots=True)
class Line:
    """Where a check stands on the sheet; makes its outcomes."""

    section: str
    name: str
    title: str

    def passed(self, fact: str) -> Check:
        """All is well."""
        return Check(self.section, self.name, self.title, Verdict.PASS, fact)

    def warned(self, fact: str, next_step: str) -> Check:
        """It works, and somebody should look."""
        return Check(self.section, self.name, self.title, Verdict.WARN, fact, next_step)

    def failed(self, fact: str, next_step: str) -> Check:
        """It does not work."""
        return Check(self.section, self.name, self.title, Verdict.FAIL, fact, next_step)

    def left_out(self, why: str) -> Check:
        """There is nothing to say, and why."""
        return Check(self.section, self.name, self.title, Verdict.NOT_APPLICABLE, why)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All lines.  `made_at` is Unix seconds; `meter_id` None where the configuration could not be read."""

    meter_id: str | None
    made_at: float
    checks: tuple[Check, ...]

    @property
    def worst(self) -> Verdict:
        """The worst verdict on it; PASS if nothing is wrong."""
        return self.problems[0].verdict if self.problems else Verdict.PASS

    @property
    def problems(self) -> tuple[Check, ...]:
        """What is wrong, the worst first."""
        wrong = [check for check in self.checks if _RANK[check.verdict]]
        return tuple(sorted(wrong, key=lambda check: -_RANK[check.verdict]))

    def exit_code(self, *, strict: bool = False) -> int:
        """0 unless something failed; with `strict` a warning is 1 too."""
        return int(_RANK[self.worst] > (0 if strict else 1))

    def sections(self) -> Iterator[tuple[str, tuple[Check, ...]]]:
        """The lines by section, in the order of the sheet; sections without a line are left out."""
        for section in SECTIONS:
            if lines := tuple(check for check in self.checks if check.section == section):
                yield section, lines

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema": SCHEMA,
            "meter_id": self.meter_id,
            "made_at": self.made_at,
            "worst": str(self.worst),
            "checks": [asdict(check) | {"verdict": str(check.verdict)} for check in self.checks],
        }


def sheet_from(document: Mapping[str, Any]) -> Sheet:
    """The sheet that `Sheet.document` made.  Raises ValueError for anything else."""
    try:
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}, this version knows {SCHEMA}")
        checks = tuple(Check(**(line | {"verdict": Verdict(line["verdict"])})) for line in document["checks"])
        return Sheet(document["meter_id"], float(document["made_at"]), checks)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no sheet of the doctor: {error}") from error
