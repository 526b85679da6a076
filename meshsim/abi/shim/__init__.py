"""The shim: hot host functions in Wasm, beside the guest, so that they never cross into Python.

Theory of operation
-------------------
A guest's imports go through a table (:mod:`meshsim.wasm.exchange`). At the first stream of a VM another module comes
into it, the *shim*, which puts functions of its own into some slots: header maps, log, bodies, time, metrics,
properties that never change. The others stay with Python. The shim reads and writes the guest's memory and has one of
its own, which Python sees too (:mod:`~meshsim.abi.shim.layout`). The Python host functions
(:mod:`meshsim.abi.hostcalls`) are the reference: statuses, the order of checks, what is allocated when, and every
byte of the guest's memory are theirs, and a test plays random sequences through both.

* **One switch, per VM** (:func:`~meshsim.abi.shim.instance.suits`): where crossings are recorded, or anything else
  asks for it, there is no shim and Python answers all.
* **Lazily**: a map or body is asked for when a guest first touches it, as a block of bytes that the map keeps
  (:mod:`~meshsim.abi.shim.blocks`); what was changed goes back as a block when the run is over. Log lines, metrics
  and host calls to charge wait in the shim's memory until then.
* **Slow calls**: what a hot function does not do itself (a key of 5,000 bytes, a map that is no block) it leaves to
  the Python function, having done nothing. Before any Python function all that waits is brought to the Python
  objects; behind it nothing is known any more of maps and bodies.
* **Phases** (:mod:`~meshsim.abi.shim.drivers`): several callbacks of a stream in one crossing. A phase ends early
  where a module asks for something that has to happen between two callbacks.
* **The allocator** is called directly. A trap in it cannot be caught in Wasm, where Python catches it, tells the
  guest that there is no memory and lets the callback go on. So it is called through Python the first time, for large
  blocks, and when memory is nearly used up; an allocator that traps otherwise ends the callback.
* **Fuel**: the shim counts what it burns itself (:mod:`~meshsim.abi.shim.text`), so :attr:`Vm.fuel_used
  <meshsim.wasm.Vm.fuel_used>` is the guest's alone.

For who calls modules
---------------------
Nothing changes: :class:`~meshsim.abi.context.Context` has one method a callback. Its ``open``, ``close`` and
``finish`` are phases where the VM has a shim, and callbacks one by one where not. :meth:`ProxyWasm.phase
<meshsim.abi.proxy_wasm.ProxyWasm.phase>` runs any driver; :meth:`Shim.show <meshsim.abi.shim.instance.Shim.show>`
puts a map into the shim before a run that is known to look at it. Rides (:mod:`~meshsim.abi.shim.ride`) run callbacks
whose doings are foreseen, and batches (:mod:`meshsim.envoy.batch`) many streams.
"""
