from albatross.health.schedule import Schedule


def test_what_is_due_comes_out_in_order_and_once() -> None:
    schedule: Schedule[str] = Schedule()
    for key, due in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        schedule.add(key, due)
    assert schedule.next_s() == 1.0
    assert schedule.pop(2.5) == [("a", 1.0), ("b", 2.0)]
    assert schedule.pop(2.5) == []
    assert schedule.next_s() == 3.0


def test_the_last_time_of_a_key_counts() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 1.0)
    schedule.add("a", 5.0)
    assert schedule.next_s() == 5.0
    schedule.add("a", 0.5)
    assert schedule.pop(9.0) == [("a", 0.5)]
    assert schedule.next_s() is None


def test_what_is_removed_is_never_due() -> None:
    schedule: Schedule[str] = Schedule()
    schedule.add("a", 1.0)
    schedule.remove("a")
    schedule.remove("never there")
    assert schedule.next_s() is None
    assert schedule.pop(9.0) == []
