"""Packing: four a transaction, in order, nobody kept waiting."""

from hypothesis import given
from hypothesis import strategies as st

from meterchain.relay.packing import ROWS_PER_TRANSACTION, pack

QUEUES = st.dictionaries(st.sampled_from([f"METER_{n:03}" for n in range(12)]), st.integers(1, 9))


@given(QUEUES, st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_every_row_goes_once_in_the_order_of_its_meter_in_as_few_transactions_as_can_be(
    depths: dict[str, int], tables: list[int]
) -> None:
    waiting = {meter: list(range(depth)) for meter, depth in depths.items()}
    packed = pack(waiting, {meter: tables[int(meter[-3:])] for meter in waiting})
    sent = [row for transaction in packed for row in transaction]
    for meter, rows in waiting.items():
        assert [row for name, row in sent if name == meter] == rows
    assert len(sent) == sum(depths.values())
    assert all(len(transaction) == ROWS_PER_TRANSACTION for transaction in packed[:-1])


def test_a_long_queue_does_not_keep_the_others_waiting() -> None:
    packed = pack({"A": [1, 2, 3, 4, 5, 6], "B": [1], "C": [1]}, {"A": 0, "B": 0, "C": 0})
    assert packed[0] == [("A", 1), ("B", 1), ("C", 1), ("A", 2)]


def test_neighbours_of_one_lookup_table_go_together() -> None:
    near = {"A": 1, "B": 0, "C": 1, "D": 0}
    assert pack({meter: [1] for meter in near}, near) == [[("B", 1), ("D", 1), ("A", 1), ("C", 1)]]


def test_nothing_needs_no_transaction() -> None:
    assert pack({}, {}) == []
