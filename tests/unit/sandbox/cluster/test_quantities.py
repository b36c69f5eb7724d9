import pytest

from sandbox.cluster import quantities


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", 0.5),
        ("2", 2),
        (3, 3),
        ("512Mi", 512 * 2**20),
        ("1.5Gi", 1.5 * 2**30),
        ("1k", 1000),
        ("1e3", 1000),
        ("100M", 1e8),
    ],
)
def test_quantities(text, value):
    assert quantities.parse(text) == value


@pytest.mark.parametrize("text", ["", "Mi", "1X", "one"])
def test_what_is_no_quantity_is_an_error(text):
    with pytest.raises(ValueError, match="could not convert"):
        quantities.parse(text)


def test_percentages_round_as_asked():
    assert quantities.scaled("25%", 3, up=True) == 1
    assert quantities.scaled("25%", 3, up=False) == 0
    assert quantities.scaled(2, 10, up=True) == 2
    with pytest.raises(ValueError, match="neither"):
        quantities.scaled("2", 10, up=True)
