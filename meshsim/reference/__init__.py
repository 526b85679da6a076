"""The real Envoy: run a bootstrap in it, record what it did, compare a simulation with it."""
