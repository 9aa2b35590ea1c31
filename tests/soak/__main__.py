"""Replays a run of the soak: `python -m tests.soak SEED [STEPS]`."""

import sys

from tests.soak.driver import LONGEST, Tally, run, shorten


def main(arguments: list[str]) -> int:
    seed, steps = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else LONGEST
    tally = Tally()
    failure = run(seed, range(steps), tally)
    if failure is None:
        sys.stdout.write(f"seed {seed}: {tally}\n")
        return 0
    sys.stdout.write(f"{failure}\n\nshortened:\n{shorten(failure)}\n")
    return 1


sys.exit(main(sys.argv[1:]))
