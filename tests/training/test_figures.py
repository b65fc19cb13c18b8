import pytest

from training.figures import shown


@pytest.mark.parametrize(
    ("figure", "text"), [(0.36976, "0.3698"), (1.43456, "1.4346"), (-0.00004, "-0.0000"), (9.99994, "9.9999"),
                         (124.0125, "124.0"), (84.5656, "84.6"), (-124.0125, "-124.0")]
)  # fmt: skip
def test_four_digits_follow_the_point_of_small_figures_and_one_that_of_large_ones(figure, text):
    assert shown(figure) == text


def test_a_page_may_show_fewer():
    assert shown(0.36976, 3) == "0.370"
    assert shown(124.0125, 3) == "124.0"
