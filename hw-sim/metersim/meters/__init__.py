"""Simulated meters: stations made from the edge's own profiles, with physics behind their registers.

`sun` and `loads` → `installation` (watts, minute by minute, repeatable by seed) → `integral` (energy, exactly) →
`electrics` (voltages, currents … of a moment) → `image` (the profile's registers as words) → `meter` (limits,
exceptions and silences of the real ones).  A meter's model is data; nothing here knows one by name.
"""
