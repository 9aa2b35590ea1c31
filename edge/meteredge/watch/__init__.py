"""`meterbridge watch`: one node, live, over SSH.

snapshot   what is shown, as plain data
source     asks the agent, the meter through it, and now and then the chain
panels     the lines of each panel, as text
screen     the only part that knows textual
"""
