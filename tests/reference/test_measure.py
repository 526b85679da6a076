"""From rounds to coefficients; no Envoy runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.cost import default_profile
from meshsim.reference import measure
from meshsim.reference.rounds import Round


def rounds(*slopes: tuple[float, float]) -> list[Round]:
    return [{"host_call_ns": {"add": [(0, 5.0), (10, 5 + 10 * a)], "get": [(10, 10 * b)]}} for a, b in slopes]


def test_a_coefficient_is_the_mean_over_kinds_of_the_median_round() -> None:
    got = measure.coefficient("host_call_ns", rounds((100, 10), (300, 30), (101, 11)))
    assert got.value == pytest.approx((101 + 11) / 2)


def test_a_coefficient_ranges_over_all_rounds_of_all_kinds() -> None:
    got = measure.coefficient("host_call_ns", rounds((100, 10), (300, 30), (101, 11)))
    assert (got.low, got.high) == (10, 300)


def test_a_coefficient_keeps_its_points_to_a_tenth() -> None:
    got = measure.coefficient("host_call_ns", rounds((0.123, 1), (0.2, 1)))
    assert got.points == {
        "add": (((0, 5.0), (10, 6.2)), ((0, 5.0), (10, 7.0))),
        "get": (((10, 10.0),), ((10, 10.0),)),
    }


def test_the_profile_that_ships_is_of_this_measurement() -> None:
    shipped = default_profile().coefficients
    assert {name: (each.unit, each.how) for name, each in shipped.items()} == measure.MEANINGS


def test_the_values_that_ship_come_from_their_points() -> None:
    for name, each in default_profile().coefficients.items():
        again = measure.coefficient(
            name, [{name: {kind: by_round[n] for kind, by_round in each.points.items()}} for n in range(measure.QUIET)]
        )
        assert (again.value, again.low, again.high) == pytest.approx((each.value, each.low, each.high), rel=0.01), name


def test_the_machine_is_described() -> None:
    described = measure.machine()
    assert all(described.values())
    assert int(described["cores"]) >= 1


def test_out_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        measure.main([])
    assert "OUT.json" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        measure.main([str(tmp_path / "nowhere" / "OUT.json")])
    assert "nowhere" in capsys.readouterr().err
