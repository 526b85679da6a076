"""A small scenario for the commands that run meshes: two queues, no proxies."""

from __future__ import annotations

QUEUES = """\
title: Two queues
look_for: the second queue
topology: {services: [{name: shop, isEntrypoint: true, script: [{call: db}]}, {name: db, errorRate: 5%}]}
services: {'*': {service_time: exponential(2ms), concurrency: 1}}
proxies: none
load: {open: {rate: 100}}
duration: 2s
warmup: 200ms
seed: 7
"""

WRONG = QUEUES.replace("rate: 100", "rate: -1").replace("seed", "sed")
