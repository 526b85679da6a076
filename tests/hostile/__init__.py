"""Hostile guests: small modules that do what no filter should, each beside a good one that must not notice."""
