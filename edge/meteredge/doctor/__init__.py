"""`meterbridge doctor`: one sheet about one node, from the screw terminals to the chain.

facts    what is the case, as plain data; gathered once (`gather`)
checks   pure functions from facts to one line of the sheet each
sheet    the lines: what the command prints, the status page shows and the support bundle holds
"""
