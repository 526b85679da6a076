"""Modules that need the extra ``binder`` hold no tests: they are not looked into."""

from __future__ import annotations

collect_ignore = ["__main__.py", "image.py", "session.py"]
