import pytest

from models.zoo.weather import Weather
from training.errors import InputError
from training.run import with_settings
from training.tasks.weather import RUN


def test_settings_reach_the_run_and_the_network():
    run = with_settings(RUN, {"epochs": "3", "units": "5", "learning_rate": "1e-4"})
    assert (run.epochs, run.learning_rate, run.network) == (3, 1e-4, Weather(units=5))
    assert RUN.epochs != 3, "the defaults stay as they are"


def test_all_that_changes_the_result_is_among_the_parameters():
    parameters = RUN.parameters()
    assert parameters["seed"] == 0
    assert parameters["model"] == "weather"
    assert parameters["network.units"] == RUN.network.units
    assert parameters["window_days"] == 28
    assert "network" not in parameters


def test_an_unknown_setting_is_answered_with_those_there_are():
    with pytest.raises(InputError, match=r"layers=2: weather has no setting 'layers'; it has seed, epochs, .*units"):
        with_settings(RUN, {"layers": "2"})


def test_a_setting_of_another_type_is_answered_with_one_that_would_do():
    with pytest.raises(InputError, match=r"units=many: expected a value like 16 \(int\)"):
        with_settings(RUN, {"units": "many"})


@pytest.mark.parametrize("name", ["model", "network"])
def test_what_a_run_is_of_cannot_be_set(name):
    with pytest.raises(InputError, match=f"no setting '{name}'"):
        with_settings(RUN, {name: "x"})
