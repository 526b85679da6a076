"""Differential fuzzing: random guests, chains and requests, in the simulator and in the real Envoy.

A case is made of its seed alone, so that a seed is all that a report of a difference needs. The generator leaves out
what two runs of the real Envoy do not agree on: whatever is timed, and the order of a whole map of headers.
"""
