"""Fuzzing of what is loaded: broken modules and configurations must end in words, or run, and never break the host.

A mutant is made of its seed and of the recorded cases, so that a seed is all that a report needs.
"""
