"""Services and their calls as GraphML, which programs for graphs read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from meshsim.export.files import write_whole
from meshsim.mesh.graph import graph

if TYPE_CHECKING:
    from meshsim.mesh.result import Result


def graphml_bytes(result: Result) -> bytes:
    """Return the graph as a GraphML file."""
    import networkx as nx

    out = io.BytesIO()
    nx.write_graphml(graph(result), out)
    return out.getvalue()


def write(result: Result, path: str | Path) -> None:
    """Write the graph."""
    write_whole(path, graphml_bytes(result))
