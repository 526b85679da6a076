"""Which runs a sweep has."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.errors import ConfigError
from meshsim.mesh.scenario_loader import sources_of
from meshsim.sweeps.plan import Plan, grid, paired, read_vary


def test_a_grid_has_every_combination_and_each_replication_of_a_point_its_own_seed(queue: Path) -> None:
    plan = Plan(sources_of(queue), grid({"load.open.rate": [50, 100], "duration": ["1s", "2s", "3s"]}), replications=2)
    assert len(plan.cells) == 12
    assert len({cell.key for cell in plan.cells}) == 12
    assert [cell.number for cell in plan.cells] == list(range(12))
    assert {cell.seed for cell in plan.cells if cell.replication == 0} == {7}, "one seed for all points"
    assert {cell.seed for cell in plan.cells if cell.replication == 1} == {8}


def test_the_scenario_s_seed_is_where_seeds_begin(queue: Path) -> None:
    points = grid({"load.open.rate": [50]})
    assert [cell.seed for cell in Plan(sources_of(queue), points, 3).cells] == [7, 8, 9]
    assert [cell.seed for cell in Plan(sources_of(queue), points, 3, seed=1).cells] == [1, 2, 3]


def test_a_key_is_that_of_the_whole_run(queue: Path) -> None:
    def keys() -> list[str]:
        return [cell.key for cell in Plan(sources_of(queue), grid({"load.open.rate": [50]})).cells]

    before = keys()
    assert keys() == before
    queue.write_text(queue.read_text() + "# a comment\n")
    assert keys() != before


def test_a_file_that_the_scenario_names_is_part_of_the_key(queue: Path) -> None:
    topology = queue.with_name("shop.yaml")
    topology.write_text("services: [{name: shop}]\n")
    queue.write_text(queue.read_text().replace("{services: [{name: shop, isEntrypoint: true}]}", "shop.yaml"))
    plan = Plan(sources_of(queue), grid({"load.open.rate": [50]}))
    topology.write_text("services: [{name: shop, errorRate: 1%}]\n")
    assert Plan(sources_of(queue), grid({"load.open.rate": [50]})).digest != plan.digest


def test_a_point_that_is_wrong_stops_the_sweep_before_it_begins(queue: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)with load.open.rate=-1: .*queue.yaml:4: load.open.rate: Input should"):
        Plan(sources_of(queue), grid({"load.open.rate": [100, -1]}))
    with pytest.raises(ConfigError, match="no such field"):
        Plan(sources_of(queue), grid({"load.open.rte": [100]}))
    with pytest.raises(ConfigError, match="twice"):
        Plan(sources_of(queue), grid({"load.open.rate": [100, 100]}))
    with pytest.raises(ConfigError, match="ask for replications"):
        Plan(sources_of(queue), grid({"seed": [1, 2]}))
    with pytest.raises(ConfigError, match="0 replications"):
        Plan(sources_of(queue), grid({}), replications=0)


def test_values_in_pairs() -> None:
    assert paired({"a": [1, 2], "b": [3, 4]}) == [(("a", 1), ("b", 3)), (("a", 2), ("b", 4))]
    with pytest.raises(ConfigError, match="a has 2, b has 1"):
        paired({"a": [1, 2], "b": [3]})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1,2.5,x", [1, 2.5, "x"]),
        ("a=true", [True]),
        ("a='x,y',z", ["x,y", "z"]),
        ("a=uniform(1ms, 2ms)", ["uniform(1ms, 2ms)"]),
        ("a=[p, q],[r]", [["p", "q"], ["r"]]),
        ("a={b: 1}", [{"b": 1}]),
        ("a=b=c", ["b=c"]),
    ],
)
def test_values_are_read_as_yaml(text: str, values: list[object]) -> None:
    assert read_vary(text) == ("a", values)


@pytest.mark.parametrize("text", ["a", "=1", "a=", "a=[1", f"a={'[' * 5000}", f"a={'9' * 5000}"])
@pytest.mark.parametrize("option", ["--vary", "--set"])
def test_what_varies_nothing_is_refused(text: str, option: str) -> None:
    with pytest.raises(ConfigError, match=option):
        read_vary(text, option)
