"""Differential fuzzing: random guests, in the simulator and in the real Envoy.

A seed alone makes its guests, so that a seed is all that a report of a difference needs. Many seeds run in one Envoy,
each with a listener and VMs of its own. What a seed does is planned (:mod:`tests.fuzz.plans`), so that a whole run
calls every import in every callback, well, at the edges and badly (:mod:`tests.fuzz.cells`); how, is random.

The generator leaves out what two runs of the real Envoy do not agree on: whatever is timed, and the order of a whole
map of headers; and what the real Envoy does not survive.
"""
