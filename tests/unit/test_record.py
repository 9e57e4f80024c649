"""Record: what a value is, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.record import Record, fields, replace


class Empty(Record):
    pass


class Point(Record):
    """A point."""

    x: int
    y: int = 0


class Place(Point):
    name: str
    tags: tuple[str, ...] = ()

    def shout(self) -> str:
        return self.name.upper()


class OtherPoint(Record):
    x: int
    y: int = 0


numbers = st.integers(-2, 2)
points = st.builds(Point, x=numbers, y=numbers)
places = st.builds(
    Place, x=numbers, y=numbers, name=st.sampled_from("ab"), tags=st.tuples(st.sampled_from("ab"))
)


def test_defaults_and_order_of_fields() -> None:
    assert fields(Point(x=1)) == {"x": 1, "y": 0}
    assert list(fields(Place(tags=("t",), name="n", x=1))) == ["x", "y", "name", "tags"]
    assert fields(Empty()) == {}


def test_repr_can_be_read_back() -> None:
    place = Place(x=1, name="it's", tags=("a",))
    assert repr(place) == """Place(x=1, y=0, name="it's", tags=('a',))"""
    assert eval(repr(place)) == place  # noqa: S307  (our own text)
    assert repr(Empty()) == "Empty()"


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "x"),
        ({"y": 1}, "x"),
        ({"x": 1, "z": 2}, "z"),
        ({"x": 1, "": 2}, ""),
        ({"x": 1, "_fields": ()}, "_fields"),
        ({"x": 1, "__init__": ()}, "__init__"),
    ],
)
def test_a_missing_or_unknown_field_is_a_type_error(values: dict[str, object], named: str) -> None:
    with pytest.raises(TypeError, match=f"Point.*{named}"):
        Point(**values)  # type: ignore[arg-type]


def test_fields_of_a_base_are_required_too() -> None:
    with pytest.raises(TypeError, match=r"Place.*x"):
        Place(name="n")  # type: ignore[call-arg]


def test_fields_go_by_name_only() -> None:
    with pytest.raises(TypeError):
        Point(1, 2)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["x", "y", "z", "__class__", "__doc__"])
def test_frozen(name: str) -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError):
        setattr(point, name, 5)
    assert point == Point(x=1, y=0)
    assert type(point) is Point


def test_a_field_cannot_be_deleted() -> None:
    point = Point(x=1)
    with pytest.raises(AttributeError):
        del point.x
    assert point.x == 1


def test_a_subclass_may_give_a_field_another_default() -> None:
    class Shifted(Point):
        y: int = 9

    assert fields(Shifted(x=1)) == {"x": 1, "y": 9}
    assert Shifted(x=1, y=5).y == 5


def test_slotted() -> None:
    assert not hasattr(Place(x=1, name="n"), "__dict__")


def test_a_record_may_have_methods_and_a_docstring() -> None:
    assert Place(x=1, name="n").shout() == "N"
    assert Point.__doc__ == "A point."


def test_a_default_is_not_shared_state_of_the_class() -> None:
    Point(x=1, y=9)
    assert Point(x=1).y == 0


@given(st.one_of(points, places), st.one_of(points, places))
def test_equal_by_kind_and_fields(one: Point, other: Point) -> None:
    same = type(one) is type(other) and fields(one) == fields(other)
    assert (one == other) is same
    assert (one != other) is not same
    if same:
        assert hash(one) == hash(other)
        assert {one: "found"}[other] == "found"


@given(points)
def test_other_kinds_are_never_equal(point: Point) -> None:
    other = OtherPoint(x=point.x, y=point.y)
    assert point != other
    assert (point == other) is False
    assert point != (point.x, point.y)
    assert len({point, other}) == 2


@given(places, places)
def test_replace(place: Place, other: Place) -> None:
    assert replace(place) == place
    assert replace(place, **fields(other)) == other
    changed = replace(place, x=7)
    assert fields(changed) == {**fields(place), "x": 7}
    assert type(changed) is Place


def test_replace_knows_the_fields() -> None:
    with pytest.raises(TypeError, match="nothing"):
        replace(Point(x=1), nothing=1)


def test_a_record_of_something_unhashable_is_unhashable() -> None:
    with pytest.raises(TypeError):
        hash(Place(x=1, name="n", tags=[]))  # type: ignore[arg-type]


def test_match_by_kind_and_field() -> None:
    match Place(x=3, name="n"):
        case Point(x=3, y=found):
            assert found == 0
        case _:
            pytest.fail("no match")
