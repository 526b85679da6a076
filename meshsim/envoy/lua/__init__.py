"""Envoy's Lua filter: scripts in the real LuaJIT, one state a script and thread."""
