"""A node's first boot, from the folder `meterbridge/` on the card's FAT partition to an agent that is enabled.

agent.toml   the configuration
owner        the wallet that the meter's energy pays (optional: without it no claim is made)
label        the serial number on the meter's plate (optional: where the wire does not tell it)
programs/    IDLs of the site's own programs (optional)
SHA256SUMS   of all of these; what people may correct by hand (agent.toml, owner, label) is not held to it
wheels/      meterbridge, all that it needs, and pip, for this machine's Python
install.sh   makes the environment from the wheels, then calls `meterbridge provision first-boot`
outcome.json what came of it: done, or the step that failed and why
claim.json   the node's claim, once the meter answered
"""
