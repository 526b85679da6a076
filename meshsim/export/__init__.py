"""From the records of a run to files that other programs read."""
