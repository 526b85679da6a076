"""The command line: one module a command, thin over the layers below.

Commands import what they need when they run, so that ``--help`` and a mistyped option answer at once.
"""
