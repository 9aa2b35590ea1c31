"""Scenarios: a folder that reads like a specification, and a player that holds the real agent and programs to it.

    config.toml   the meter, when the play begins, how many slots it has
    faults.toml   what goes wrong, from when until when
    expect.toml   what must be true in the end

`files` reads them, `world` is the stage (virtual time, the bus in memory, the embedded chain), `events` what can happen
on it, `weather` the chain's bad days, `verdict` judges, `table` tells.  In every play, whatever it expects, nothing may
be signed that the meter did not hold, and nothing that was signed may be lost.
"""
