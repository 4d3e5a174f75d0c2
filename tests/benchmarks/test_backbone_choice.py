"""The paper's conclusion from its own accuracies, and what other figures would lead to."""

import pytest

from edge_aver.benchmarks.backbone_choice import Candidate, choose, load_published_backbones
from edge_aver.errors import MeasurementError

PAPER = load_published_backbones()


def of(name, correct, size_mb, total=3589):
    return Candidate(name=name, correct=correct, total=total, size_mb=size_mb)


def test_the_papers_accuracies_lead_to_the_papers_conclusion():
    choice = choose(PAPER.candidates(), budget_mb=PAPER.budget_mb, level=PAPER.level)
    assert (choice.best, choice.chosen) == ("ConvNeXt XLarge", "EfficientNetV2-B0") == (choice.tied[0], PAPER.chosen)
    assert choice.chosen_is_tied
    assert set(PAPER.overlapping) <= set(choice.tied)
    apart = {item.name for item in PAPER.networks} - set(choice.tied)
    assert apart == {"MobileNet", "ResNet152V2", "DenseNet201", "InceptionV3"}
    assert choice.fitting == ("EfficientNetV2-B0", "MobileNet")


def test_the_intervals_are_those_of_equation_5():
    candidate = next(item for item in PAPER.candidates() if item.name == "EfficientNetV2-B0")
    interval = candidate.interval(PAPER.level)
    # By hand from equation 5 with P = 0.7, N = 3,589 and z = 2.33.
    assert (100 * interval.low, 100 * interval.high) == pytest.approx((68.187, 71.752), abs=0.005)


def test_intervals_that_the_paper_names_overlap_one_another():
    ends = [item.interval(PAPER.level) for item in PAPER.candidates() if item.name in PAPER.overlapping]
    assert len(ends) == 5
    assert max(end.low for end in ends) <= min(end.high for end in ends)


def test_table_2_has_sixteen_networks_with_the_printed_digits():
    assert len({item.name for item in PAPER.networks}) == 16
    digits = {item.name: (item.accuracy_percent, item.size_mb) for item in PAPER.networks}
    assert digits["EfficientNetV2-B0"] == ("70.00", "139.0")
    assert digits["ConvNeXt XLarge"] == ("72.27", "3900")


def test_a_budget_that_costs_accuracy_says_so():
    choice = choose([of("large", 3000, 900.0), of("small", 2500, 10.0)], budget_mb=150)
    assert (choice.tied, choice.chosen, choice.chosen_is_tied) == (("large",), "small", False)
    assert "worse than the best" in str(choice)


def test_what_has_no_size_fits_no_budget():
    choice = choose([of("a", 3000, None), of("b", 2990, 200.0)], budget_mb=150)
    assert choice.chosen is None
    assert "None fits 150 MB" in str(choice)


def test_without_accuracies_there_is_no_choice():
    with pytest.raises(MeasurementError, match="no accuracy to choose by"):
        choose([], budget_mb=150)
