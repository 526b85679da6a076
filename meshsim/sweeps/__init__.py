"""Sweeps: one scenario, run again and again with something changed, on this machine or on a cluster.

=============================  ==================================================================
:mod:`meshsim.sweeps.plan`     which runs there are: points x replications, each with a key
:mod:`meshsim.sweeps.cell`     one run: what it takes, what it gives; the same in every process
:mod:`meshsim.sweeps.store`    the folder: a Parquet file a run, whole or not there
:mod:`meshsim.sweeps.pools`    who runs them: this process, other processes, a Dask cluster
:mod:`meshsim.sweeps.sweep`    all of it; goes on where it was stopped
=============================  ==================================================================
"""
