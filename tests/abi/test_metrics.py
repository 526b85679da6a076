from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.constants import MetricType, Status
from meshsim.abi.metrics import MAX_NAME_BYTES, MAX_SAMPLES, METRIC_BYTES, MetricTable, MetricValues

COUNTER, GAUGE, HISTOGRAM = MetricType
MASK = 2**64 - 1


def test_ids_of_a_kind_go_up_in_fours_and_a_name_may_have_several() -> None:
    table = MetricTable(MetricValues())
    ids = [table.define(kind, name) for kind, name in [(COUNTER, "a"), (GAUGE, "a"), (HISTOGRAM, "a")]]
    assert ids == [4, 5, 6]
    again = table.define(COUNTER, "a")
    assert again == 8
    table.increment(again, 2)
    assert table.get(4) == 2
    assert table.define(COUNTER, "") == 12


def test_vms_number_for_themselves_and_count_together() -> None:
    values = MetricValues()
    one, other = MetricTable(values), MetricTable(values)
    assert one.define(COUNTER, "hits") == other.define(COUNTER, "hits") == 4
    one.increment(4, 1)
    other.increment(4, 2)
    assert one.get(4) == other.get(4) == 3
    assert values.stats() == {"wasmcustom.hits": 3}


@pytest.mark.parametrize(
    ("metric", "increment", "record", "get"),
    [
        (400, Status.NOT_FOUND, Status.NOT_FOUND, Status.NOT_FOUND),
        (401, Status.NOT_FOUND, Status.NOT_FOUND, Status.NOT_FOUND),
        (402, Status.BAD_ARGUMENT, Status.NOT_FOUND, Status.BAD_ARGUMENT),
        (403, Status.BAD_ARGUMENT, Status.NOT_FOUND, Status.BAD_ARGUMENT),
        (2**32 - 1, Status.BAD_ARGUMENT, Status.NOT_FOUND, Status.BAD_ARGUMENT),
        (0, Status.NOT_FOUND, Status.NOT_FOUND, Status.NOT_FOUND),
    ],
)
def test_unknown_ids(metric: int, increment: Status, record: Status, get: Status) -> None:
    table = MetricTable(MetricValues())
    assert table.increment(metric, 1) is increment
    assert table.record(metric, 1) is record
    assert table.get(metric) is get


def test_a_counter_only_goes_up_but_a_record_wraps() -> None:
    table = MetricTable(MetricValues())
    counter = table.define(COUNTER, "c")
    assert table.increment(counter, 0) is Status.BAD_ARGUMENT
    assert table.increment(counter, -1) is Status.BAD_ARGUMENT
    assert table.record(counter, MASK) is Status.OK
    assert table.get(counter) == MASK
    assert table.increment(counter, 1) is Status.OK
    assert table.get(counter) == 0


def test_a_gauge_below_zero_wraps() -> None:
    table = MetricTable(MetricValues())
    gauge = table.define(GAUGE, "g")
    assert table.increment(gauge, -3) is Status.OK
    assert table.get(gauge) == MASK - 2


def test_a_histogram_takes_records_only() -> None:
    values = MetricValues()
    table = MetricTable(values)
    histogram = table.define(HISTOGRAM, "h")
    assert table.record(histogram, 3) is Status.OK
    assert table.increment(histogram, 1) is Status.BAD_ARGUMENT
    assert table.get(histogram) is Status.BAD_ARGUMENT
    assert {name: list(samples) for name, samples in values.samples.items()} == {"h": [3]}
    assert values.stats() == {}


OPERATION = st.tuples(st.sampled_from(["add", "set"]), st.integers(-(2**63), 2**63 - 1))


@given(st.sampled_from([COUNTER, GAUGE]), st.lists(OPERATION))
def test_against_a_number_of_64_bits(kind: MetricType, operations: list[tuple[str, int]]) -> None:
    table, model = MetricTable(MetricValues()), 0
    metric = table.define(kind, "m")
    for operation, amount in operations:
        if operation == "add":
            refused = kind is COUNTER and amount <= 0
            assert table.increment(metric, amount) is (Status.BAD_ARGUMENT if refused else Status.OK)
            model += 0 if refused else amount
        else:
            assert table.record(metric, amount & MASK) is Status.OK
            model = amount if kind is GAUGE else model + amount
        model &= MASK
        assert table.get(metric) == model


def test_metrics_without_end_have_an_end() -> None:
    table = MetricTable(MetricValues())
    large = "x" * (MAX_NAME_BYTES // 2 - METRIC_BYTES)
    assert [table.define(COUNTER, large), table.define(COUNTER, large)] == [4, 8]
    with pytest.raises(AllowanceExceeded, match="the metrics of one VM would take more than 16 MiB"):
        table.define(COUNTER, "one more")


def test_a_histogram_keeps_its_last_samples() -> None:
    values = MetricValues()
    table = MetricTable(values)
    histogram = table.define(HISTOGRAM, "h")
    for value in range(MAX_SAMPLES + 5):
        table.record(histogram, value)
    assert (values.samples["h"][0], len(values.samples["h"])) == (5, MAX_SAMPLES)
