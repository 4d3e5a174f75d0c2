import math

import numpy as np
import pytest

from edge_aver.benchmarks.paired_stats import (
    FEW_ACTORS,
    actor_interval,
    clip_interval,
    clips_needed,
    clips_without_a_flip,
    design_effect,
    mcnemar_p,
    signed_rank,
    student_t,
)


# scipy.stats.binomtest(min(lost, won), lost + won, 0.5).pvalue
@pytest.mark.parametrize(
    ("lost", "won", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 5, 0.0625),
        (3, 12, 0.03515625),
        (7, 7, 1.0),
        (40, 61, 0.046044066929342785),
        (1000, 1200, 2.1817026407914194e-05),
    ],
)
def test_mcnemar_is_the_exact_binomial_test(lost: int, won: int, p: float) -> None:
    assert mcnemar_p(lost, won) == pytest.approx(p, rel=1e-12)
    assert mcnemar_p(won, lost) == mcnemar_p(lost, won)


def test_mcnemar_of_many_flips_neither_overflows_nor_leaves_0_to_1() -> None:
    assert mcnemar_p(20_000, 20_001) == 1.0
    assert 0.0 <= mcnemar_p(0, 30_000) < 1e-300


# scipy.stats.t.ppf
@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 2, 4.302652729749462),
        (0.975, 3, 3.1824463052837078),
        (0.975, 23, 2.0686576104190486),
        (0.95, 24, 1.7108820799094275),
        (0.975, 1001, 1.9623367052808798),
    ],
)
def test_student_t_agrees_with_scipy(probability: float, degrees: int, value: float) -> None:
    assert student_t(probability, degrees) == pytest.approx(value, rel=1e-9)


# Ends at which scipy.stats.wilcoxon(values - end, mode="exact").pvalue crosses 0.05.
@pytest.mark.parametrize(
    ("values", "centre", "low", "high"),
    [
        ((0.3, -0.1, 0.2, 0.5, 0.9, 0.4), 0.35, -0.1, 0.9),
        ((1.0, 2.5, 0.5, 3.0, -1.0, 2.0, 1.5, 40.0, 0.0, 1.25), 1.5, 0.5, 20.0),
    ],
)
def test_the_signed_rank_interval_agrees_with_scipy(
    values: tuple[float, ...], centre: float, low: float, high: float
) -> None:
    found = signed_rank(values)
    assert found is not None
    assert (found.value, found.interval.low, found.interval.high, found.count) == (
        *(pytest.approx(centre), low, high),
        len(values),
    )


def test_five_differences_are_too_few_for_an_interval() -> None:
    assert signed_rank((1.0, 2.0, 3.0, 4.0, 5.0)) is None


# Clopper-Pearson ends from scipy.stats.binomtest(k, n).proportion_ci(0.95), combined by hand.
@pytest.mark.parametrize(
    ("lost", "won", "total", "low", "high"),
    [
        (0, 0, 3, -0.7075982261787133, 0.7075982261787133),
        (0, 0, 240, -(1 - 0.025 ** (1 / 240)), 1 - 0.025 ** (1 / 240)),
        (
            *(1, 0, 240),
            -1 / 240 - (0.022995275839816653 - 1 / 240),
            -1 / 240 + math.hypot(1 / 240 - 0.0001054853026354019, 1 - 0.025 ** (1 / 240)),
        ),
        (
            *(20, 20, 1440),
            -math.hypot(0.02136910482369836 - 1 / 72, 1 / 72 - 0.008503780966294266),
            math.hypot(0.02136910482369836 - 1 / 72, 1 / 72 - 0.008503780966294266),
        ),
    ],
)
def test_clip_interval_combines_exact_limits(lost: int, won: int, total: int, low: float, high: float) -> None:
    interval = clip_interval(lost, won, total)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-9)


def test_clip_interval_stays_within_what_a_difference_can_be() -> None:
    assert clip_interval(1, 0, 1).low == -1.0
    assert clip_interval(0, 2, 2).high == 1.0
    assert clip_interval(0, 1, 1).low == pytest.approx(-0.3788, abs=1e-4)


@pytest.mark.parametrize(("margin", "clips"), [(0.01, 368), (0.02, 183), (0.001, 3688)])
def test_clips_without_a_flip_are_the_fewest_that_rule_the_margin_out(margin: float, clips: int) -> None:
    assert clips_without_a_flip(margin) == clips
    assert clip_interval(0, 0, clips).low > -margin >= clip_interval(0, 0, clips - 1).low


def _interval(sums: list[int], clips: list[int], seed: int = 1) -> tuple[float, float]:
    found = actor_interval(np.array(sums), np.array(clips), draws=2000, seed=seed)
    return found.low, found.high


SOME = ([-3, 1, 0, -2, 4, 0, -5, 1, 1, -1, 0, 2], [60, 60, 44, 60, 60, 52, 60, 60, 60, 8, 60, 60])
FEW = ([-3, 1, 0, -2], [60, 60, 44, 60])


@pytest.mark.parametrize(("sums", "clips"), [SOME, FEW])
def test_actor_interval_turns_round_when_the_sides_are_swapped(sums: list[int], clips: list[int]) -> None:
    low, high = _interval(sums, clips)
    assert _interval([-value for value in sums], clips) == pytest.approx((-high, -low), abs=1e-12)
    assert low < sum(sums) / sum(clips) < high


@pytest.mark.parametrize(("sums", "clips"), [SOME, FEW])
def test_the_same_seed_gives_the_same_interval(sums: list[int], clips: list[int]) -> None:
    assert _interval(sums, clips) == _interval(sums, clips)
    assert _interval(sums, clips) != _interval(sums, clips, seed=2)
    assert _interval(sums, clips) == pytest.approx(_interval(sums, clips, seed=2), abs=0.01)


def test_blocks_of_samples_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _interval(*SOME)
    monkeypatch.setattr("edge_aver.benchmarks.paired_stats._BLOCK", 100)
    assert _interval(*SOME) == whole


def test_expanded_percentiles_of_many_actors_match_students_interval() -> None:
    """Sums that are nearly normal: the interval over actors is Student's, with G - 1 degrees of freedom."""
    chance = np.random.default_rng(3)
    sums = np.rint(chance.normal(0, 20, 24)).astype(int)
    means = sums / 60
    reach = student_t(0.975, 23) * means.std(ddof=1) / math.sqrt(24)
    found = actor_interval(sums, np.full(24, 60), draws=20_000, seed=0)
    assert (found.low, found.high) == pytest.approx((means.mean() - reach, means.mean() + reach), abs=0.1 * reach)


def test_few_actors_get_students_interval_exactly() -> None:
    sums, means = np.array([-3, 1, 0, -2]), np.array([-3, 1, 0, -2]) / 60
    reach = student_t(0.975, 3) * means.std(ddof=1) / 2
    found = actor_interval(sums, np.full(4, 60), draws=40_000, seed=0)
    assert (found.low, found.high) == pytest.approx((means.mean() - reach, means.mean() + reach), abs=0.02 * reach)


def test_one_actor_has_no_interval() -> None:
    with pytest.raises(ValueError, match="needs two"):
        actor_interval(np.array([3]), np.array([60]), draws=10, seed=0)


@pytest.mark.parametrize("actors", [4, FEW_ACTORS, 24])
def test_a_loss_of_the_margin_itself_passes_as_seldom_as_it_should(actors: int) -> None:
    """Actors that differ in what they lose; B truly loses 1 point. 2.5 % of the comparisons may say it loses less."""
    chance, trials, passed = np.random.default_rng(7), 300, 0
    for _ in range(trials):
        lost = chance.binomial(60, chance.beta(1.8, 28.2, actors))
        won = np.minimum(chance.binomial(60, chance.beta(1.5, 28.5, actors)), 60 - lost)
        over_actors = actor_interval(won - lost, np.full(actors, 60), draws=500, seed=0)
        over_clips = clip_interval(int(lost.sum()), int(won.sum()), 60 * actors)
        passed += min(over_actors.low, over_clips.low) > -0.01
    assert passed / trials < 0.05


def test_design_effect_tells_clustered_flips_from_spread_ones() -> None:
    clips = np.full(24, 60)
    spread, clustered = np.full(24, -1), np.where(np.arange(24) < 2, -12, 0)
    assert design_effect(spread, clips, 24, 0) == 1.0
    assert design_effect(clustered, clips, 24, 0) == pytest.approx(11.7, abs=0.1)
    assert design_effect(np.array([-3]), np.array([60]), 3, 0) == 1.0
    assert design_effect(np.zeros(24, int), clips, 0, 0) == 1.0


def test_clips_needed_follow_the_stated_formula() -> None:
    # (1.959964 + 0.841621)^2 * s^2 * effect / d^2, worked by hand: s^2 = 40/1000 and d = 0.01.
    assert clips_needed(20, 20, 1000, margin=0.01, effect=1.0) == math.ceil(7.848879 * 0.04 * 1000 / 999 / 0.01**2)
    assert clips_needed(20, 20, 1000, margin=0.01, effect=2.0) == math.ceil(7.848879 * 0.08 * 1000 / 999 / 0.01**2)
    # A gain promises nothing: the distance stays the margin. s^2 = 0.04 - 0.0001.
    assert clips_needed(15, 25, 1000, margin=0.01, effect=1.0) == math.ceil(7.848879 * 0.0399 * 1000 / 999 / 0.01**2)
    # A loss of half the margin leaves the other half, and quadruples the clips.
    assert clips_needed(10, 5, 1000, margin=0.01, effect=1.0) == math.ceil(
        7.848879 * (0.015 - 0.005**2) * 1000 / 999 / 0.005**2
    )


def test_clips_needed_are_finite_on_the_margin_and_more_than_those_at_hand() -> None:
    assert clips_needed(10, 0, 1000, margin=0.01, effect=1.0) == math.ceil(
        7.848879 * (0.01 - 0.01**2) * 1000 / 999 / 0.0005**2
    )
    assert clips_needed(0, 0, 3, margin=0.01, effect=1.0) == 368
    assert clips_needed(2, 0, 2, margin=0.01, effect=1.0) == 3
    assert clips_needed(5, 0, 6, margin=0.01, effect=1.0) == 7


def test_actors_of_any_size_weigh_by_their_clips() -> None:
    """Every actor loses one clip in ten: whoever is drawn, the difference is the same."""
    sizes = [10, 20, 200, 30, 40, 10, 60, 90, 100]
    assert _interval([-size // 10 for size in sizes], sizes) == pytest.approx((-0.1, -0.1), abs=1e-12)
