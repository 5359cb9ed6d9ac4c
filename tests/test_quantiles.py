"""Quantiles of values that come in parts."""

import numpy as np
import pytest

from winnow.reports.quantiles import Quantiles

SHARES = [0.0, 0.05, 0.25, 0.5, 0.95, 1.0]


@pytest.mark.parametrize("parts", [1, 3, 40])
def test_quantiles_of_few_values_are_exact(parts):
    values = np.random.default_rng(1).normal(0, 5, 120)
    quantiles = Quantiles(120)
    for part in np.array_split(values, parts):
        quantiles.add(part)
    assert quantiles.at(SHARES) == np.quantile(values, SHARES).tolist()


@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e5])
@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_quantiles_of_many_values_are_off_by_half_a_percent_at_most(spread, shift):
    values = spread * np.random.default_rng(2).normal(shift, 1, 20_001)
    quantiles = Quantiles(100)
    for part in np.array_split(values, 10):
        quantiles.add(part)
    assert quantiles.at(SHARES) == pytest.approx(np.quantile(values, SHARES), rel=0.0051, abs=2e-3 * spread)
    assert quantiles.count == 20_001


def test_values_of_zero_stay_zero_and_no_values_have_no_median():
    quantiles = Quantiles(2)
    assert quantiles.median is None
    quantiles.add(np.zeros(9))
    assert quantiles.median == 0.0
