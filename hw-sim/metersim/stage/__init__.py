"""The stage: whole sites (chain, users, meters, buses, agents) raised for the demo and for tests.

`cast` says who is on stage, `site` raises them and lets slots pass, `demo` tells the story, `show` prints it.
"""
