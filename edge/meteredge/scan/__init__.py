"""`meterbridge scan`: who is on this bus, at which speed, with which parity, under which unit id.

plan       which settings and units are tried, the likely ones first
search     tries them, and says what answered
identify   which meter it is, and how sure that is
"""
