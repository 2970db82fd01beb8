"""Statistics of a cohort: published worked examples, and implementations by other ways."""

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from sklearn import metrics as sk
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.stats.anova import anova_lm

from meshes.arrays import floats, ints
from validation.cohort.agreement import (
    bland_altman,
    limit_of_agreement,
    repeated,
    variance_parts,
)
from validation.cohort.calibration import calibration
from validation.cohort.ceiling import INVASIVE_SD, ceiling, expected, true_mean
from validation.cohort.correlation import (
    correlation,
    deming,
    icc_absolute,
    passing_bablok,
    weighted_pearson,
    weighted_ranks,
)
from validation.cohort.diagnosis import bands, grey_zone, proportion, table_at
from validation.cohort.reading import Pairs, at_most, patient_pairs
from validation.cohort.resampling import clustered, share
from validation.cohort.roc import (
    auc_estimate,
    clustered_covariance,
    compared,
    covariance,
    placements,
    roc,
    weighted_auc,
)

# Peak flow of 17 people by two meters (Bland and Altman, Lancet 1986;1:307, table 1)
WRIGHT = "494 395 516 434 476 557 413 442 650 433 417 656 267 478 178 423 427"
MINI = "512 430 520 428 500 600 364 380 658 445 432 626 259 477 259 350 451"
# Cardiac output of 12 people, several times each, by radionuclide ventriculography and
# impedance cardiography (Bland and Altman, J Biopharm Stat 2007;17:571, table 1)
CARDIAC = {
    1: "7.83-6.57 7.42-5.62 7.89-6.90 7.12-6.57 7.88-6.35",
    2: "6.16-4.06 7.26-4.29 6.71-4.26 6.54-4.09",
    3: "4.75-4.71 5.24-5.50 4.86-5.08 4.78-5.02 6.05-6.01 5.42-5.67",
    4: "4.21-4.14 3.61-4.20 3.72-4.61 3.87-4.68 3.92-5.04",
    5: "3.13-3.03 2.98-2.86 2.85-2.77 3.17-2.46 3.09-2.32 3.12-2.43",
    6: "5.92-5.90 6.42-5.81 5.92-5.70 6.27-5.76",
    7: "7.13-5.09 6.62-4.63 6.58-4.61 6.93-5.09",
    8: "4.54-4.72 4.81-4.61 5.11-4.36 5.29-4.20 5.39-4.36 5.57-4.20",
    9: "4.48-3.17 4.92-3.12 3.97-2.96",
    10: "4.22-4.35 4.65-4.62 4.74-3.16 4.44-3.53 4.50-3.53",
    11: "6.78-7.20 6.07-6.09 6.52-7.00 6.42-7.10 6.41-7.40 5.76-6.80",
    12: "5.06-4.50 4.72-4.20 4.90-3.80 4.80-3.80 4.90-4.20 5.10-4.50",
}
# 113 people after a subarachnoid haemorrhage: clinical grade (WFNS) and S100B in ug/l, of
# those with poor and with good outcome (Turck et al., Intensive Care Med 2010;36:107)
POOR = {
    1: ".07 .08",
    2: ".07 .07 .09 .09 .10 .10 .11 .14 .25 .30 .41 .58",
    3: ".13",
    4: ".13 .16 .23 .26 .27 .48 .71 .96",
    5: ".03 .12 .22 .32 .33 .35 .44 .44 .49 .52 .56 .70 .71 .74 .77 .82 .86 2.07",
}
GOOD = {
    1: (
        ".04 .04 .04 .04 .05 .05 .06 .06 .07 .07 .07 .07 .08 .08 .08 .08 .09 .09 .09 .09 "
        ".10 .10 .10 .10 .11 .11 .13 .13 .14 .14 .14 .15 .16 .18 .19 .48 .50"
    ),
    2: ".04 .07 .08 .08 .09 .09 .10 .10 .10 .11 .11 .13 .14 .15 .15 .15 .16 .17 .19 .43",
    3: ".05 .07 .33",
    4: ".16 .17 .28 .32 .34 .38 .45 .47",
    5: ".24 .46 .47 .50",
}
# Six people judged by four (Shrout and Fleiss, Psychol Bull 1979;86:420, table 2)
JUDGES = ((9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7))


def subarachnoid():
    rows = [
        (grade, float(x), outcome)
        for outcome, table in ((True, POOR), (False, GOOD))
        for grade, values in table.items()
        for x in values.split()
    ]
    grade, protein, poor = map(np.array, zip(*rows, strict=True))
    return grade.astype(float), protein.astype(float), poor.astype(bool)


def cardiac():
    rows = [
        (who, *map(float, pair.split("-")))
        for who, pairs in CARDIAC.items()
        for pair in pairs.split()
    ]
    who, nuclide, impedance = map(np.array, zip(*rows, strict=True))
    return who.astype(int) - 1, nuclide.astype(float), impedance.astype(float)


def pairs_of(invasive, computed, patient=None, **more):
    n = len(computed)
    given = {
        name: floats(np.full(n, np.nan))
        for name in ("ffr_low", "ffr_high", "probability", "stenosis_percent")
    }
    given["found_stenosis_percent"] = given["probability"]
    given |= {name: floats(values) for name, values in more.items()}
    patient = np.arange(n) if patient is None else np.asarray(patient)
    return Pairs(
        invasive_ffr=floats(invasive), ffr=floats(computed), patient=ints(patient), **given
    )


def cohort(n=150, sd=0.06, seed=4):
    """Vessels of n patients, one to three each, and an unbiased model."""
    random = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), random.integers(1, 4, n))
    truth = random.beta(11.2, 2.46, patient.size)
    invasive = np.clip(np.round(truth + random.normal(0, INVASIVE_SD, patient.size), 2), 0.3, 1)
    computed = np.clip(truth + random.normal(0, sd, patient.size), 0.2, 1.1)
    return pairs_of(
        invasive, computed, patient,
        stenosis_percent=np.clip(130 - 100 * truth + random.normal(0, 12, patient.size), 0, 99),
        ffr_low=np.maximum(computed - 1.96 * sd, 0), ffr_high=computed + 1.96 * sd,
        probability=stats.norm.cdf((0.805 - computed) / sd),
    )  # fmt: skip


def test_delong_gives_the_published_comparison_of_two_tests_of_the_same_people():
    # pROC (Robin, BMC Bioinformatics 2011;12:77): AUC 0.8237 and 0.7314, Z 2.209, p 0.02718
    grade, protein, poor = subarachnoid()
    cov = covariance([grade, protein], poor)
    areas = [sk.roc_auc_score(poor, score) for score in (grade, protein)]
    assert areas == pytest.approx([0.8236789, 0.7313686], abs=1e-7)
    z = (areas[0] - areas[1]) / np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1])
    assert z == pytest.approx(2.209, abs=5e-4)
    assert 2 * stats.norm.sf(z) == pytest.approx(0.02718, abs=5e-6)
    assert np.sqrt(cov[1, 1]) * 1.959964 == pytest.approx(0.8321 - 0.7314, abs=2e-3)


def test_placements_are_counts_over_all_pairs():
    random = np.random.default_rng(2)
    score, positive = random.integers(0, 6, 40).astype(float), random.random(40) < 0.4
    of_sick, of_well = placements(score, positive)

    def won(a, b):
        return (a > b) + 0.5 * (a == b)

    sick, well = score[positive], score[~positive]
    assert of_sick == pytest.approx([np.mean([won(s, w) for w in well]) for s in sick])
    assert of_well == pytest.approx([np.mean([won(s, w) for s in sick]) for w in well])
    assert of_sick.mean() == pytest.approx(sk.roc_auc_score(positive, score))


def test_clustered_variance_is_delongs_when_each_patient_has_one_row():
    grade, protein, poor = subarachnoid()
    alone = clustered_covariance([grade, protein], poor, ints(np.arange(poor.size)))
    assert alone == pytest.approx(covariance([grade, protein], poor))


def test_clustered_variance_grows_when_rows_are_copies_of_each_other():
    # every row twice in one patient: the information is that of the rows once
    _, protein, poor = subarachnoid()
    twice = (np.tile(protein, 2), np.tile(poor, 2))
    patient = ints(np.tile(np.arange(poor.size), 2))
    once = covariance([protein], poor)[0, 0]
    assert covariance([twice[0]], twice[1])[0, 0] == pytest.approx(once / 2, rel=0.03)
    assert clustered_covariance([twice[0]], twice[1], patient)[0, 0] == pytest.approx(once)


def test_clustered_variance_is_that_of_patients_drawn_anew():
    pairs = cohort(n=120)
    positive = at_most(pairs.invasive_ffr, 0.80)
    variance = clustered_covariance([-pairs.ffr], positive, pairs.patient)[0, 0]
    drawn = clustered(pairs.patient, weighted_auc(-pairs.ffr, positive), 2000)
    assert (drawn.high - drawn.low) / 3.92 == pytest.approx(np.sqrt(variance), rel=0.10)


def test_clustered_variance_is_that_of_leaving_out_patients_with_sick_and_well_vessels():
    random = np.random.default_rng(9)
    who = np.repeat(np.arange(150), 2)
    positive = np.tile([True, False], 150)
    score = 2.5 * random.normal(size=150)[who] + positive + 0.5 * random.normal(size=300)
    left = [sk.roc_auc_score(positive[who != k], score[who != k]) for k in range(150)]
    jackknife = 149 / 150 * np.sum((np.array(left) - np.mean(left)) ** 2)
    variance = clustered_covariance([score], positive, ints(who))[0, 0]
    assert variance == pytest.approx(jackknife, rel=0.03)
    assert variance < 0.8 * covariance([score], positive)[0, 0]


def test_weighted_auc_counts_a_row_as_often_as_it_was_drawn():
    random = np.random.default_rng(1)
    score, positive = random.integers(0, 9, 30).astype(float), random.random(30) < 0.5
    weights = random.integers(0, 4, (5, 30)).astype(float)
    drawn = [np.repeat(np.arange(30), w.astype(int)) for w in weights]
    whole = [sk.roc_auc_score(positive[i], score[i]) for i in drawn]
    assert weighted_auc(score, positive)(weights) == pytest.approx(whole)


def test_ffr_that_equals_the_rival_differs_by_nothing():
    pairs = cohort()
    same = compared("itself", pairs, -pairs.ffr)
    assert same.difference.value == 0
    assert same.p_delong is None
    worse = compared("noise", pairs, floats(np.random.default_rng(0).random(len(pairs))))
    assert worse.difference.value > 0.25
    assert worse.p_delong < 1e-6
    assert worse.p_clustered < 1e-6


def test_limits_of_agreement_are_those_of_the_published_peak_flow_example():
    # bias -2.1, SD 38.8, limits -79.7 to 75.5; their intervals -114.3 to -45.1 and 40.9 to
    # 110.1 with the paper's rounder standard error
    gap = floats(WRIGHT.split()) - floats(MINI.split())
    assert gap.mean() == pytest.approx(-2.1, abs=0.05)
    assert gap.std(ddof=1) == pytest.approx(38.8, abs=0.05)
    low, half = limit_of_agreement(gap, -1.96)
    assert low == pytest.approx(-78.1, abs=0.1)  # the paper takes 2 SD, not 1.96
    assert low - 0.04 * 38.77 == pytest.approx(-79.7, abs=0.1)
    assert half == pytest.approx(34.6, abs=0.4)


def test_variances_within_people_are_those_of_the_published_cardiac_output_example():
    # within-subject variances 0.1072 and 0.1379 (Bland and Altman 1999, section 5)
    who, nuclide, impedance = cardiac()
    assert who.size == 60
    ones = np.ones((1, 60))
    within = [variance_parts(floats(v), ints(who), ones)[0][0] for v in (nuclide, impedance)]
    assert within == pytest.approx([0.1072, 0.1379], abs=5e-5)


def test_repeated_limits_add_the_mean_squares_of_an_analysis_of_variance():
    # Bland and Altman 2007, section 3, on their example; mean squares by statsmodels
    who, nuclide, impedance = cardiac()
    gap = floats(nuclide - impedance)
    table = anova_lm(smf.ols("gap ~ C(who)", pd.DataFrame({"gap": gap, "who": who})).fit())
    between, within = table["mean_sq"]
    sizes = np.bincount(who)
    usual = (60 - np.sum(sizes**2) / 60) / 11
    sd = np.sqrt((between - within) / usual + within)
    found = repeated(gap, ints(who), 200)
    assert found.sd == pytest.approx(sd)
    assert found.within_sd == pytest.approx(np.sqrt(within))
    assert found.upper.value == pytest.approx(gap.mean() + 1.96 * sd)
    assert found.lower.value == pytest.approx(gap.mean() - 1.96 * sd)
    assert found.sd > gap.std(ddof=1)


def test_variance_parts_are_those_of_a_mixed_model_where_patients_have_equally_many():
    random = np.random.default_rng(7)
    who = np.repeat(np.arange(25), 4)
    gap = random.normal(0, 5, 25)[who] + random.normal(0, 4, 100)
    within, between = variance_parts(floats(gap), ints(who), np.ones((1, 100)))
    fit = MixedLM(gap, np.ones((100, 1)), groups=who).fit(reml=True)
    assert within[0] == pytest.approx(fit.scale, rel=1e-3)
    assert between[0] == pytest.approx(float(np.asarray(fit.cov_re).item()), rel=1e-3)


def test_a_patient_drawn_twice_counts_as_two_patients():
    who, nuclide, impedance = cardiac()
    gap = nuclide - impedance
    times = np.random.default_rng(3).integers(0, 3, 12)
    drawn = [(k, g) for k, t in enumerate(times) for _ in range(t) for g in (gap[who == k],)]
    again = np.concatenate([g for _, g in drawn])
    label = np.repeat(np.arange(len(drawn)), [g.size for _, g in drawn])
    weights = times[who].astype(float)[None, :]
    parts = variance_parts(floats(gap), ints(who), weights)
    plain = variance_parts(floats(again), ints(label), np.ones((1, again.size)))
    assert [p[0] for p in parts] == pytest.approx([p[0] for p in plain])


def test_no_spread_between_patients_leaves_the_usual_limits():
    pairs = cohort()
    found = bland_altman(pairs, 200)
    assert found.repeated.between_sd < 0.02
    assert found.repeated.sd == pytest.approx(found.sd, rel=0.05)
    assert found.bias.value == pytest.approx((pairs.ffr - pairs.invasive_ffr).mean())
    assert found.lower.interval.low < found.lower.value < found.lower.interval.high


def test_a_bias_that_grows_with_ffr_shows_as_slope():
    pairs = cohort(sd=0.02)
    tilted = pairs_of(pairs.invasive_ffr, 0.8 + 1.3 * (pairs.invasive_ffr - 0.8), pairs.patient)
    slope = bland_altman(tilted, 100)
    assert slope.slope.value == pytest.approx(0.3 / 1.15, rel=1e-6)
    assert slope.slope_p < 1e-6


def test_wilson_is_the_published_interval():
    # 81 of 263: 0.2553 to 0.3662 (Newcombe, Stat Med 1998;17:857, table I)
    of = np.arange(263) < 81
    found = proportion(of, np.ones(263, dtype=bool), ints(np.arange(263)), 100)
    assert (found.wilson.low, found.wilson.high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    none = proportion(of[:1] & False, np.ones(1, dtype=bool), ints([0]), 100)
    assert (none.wilson.low, round(none.wilson.high, 4)) == (0.0, 0.7935)


def test_drawing_patients_is_drawing_rows_when_each_has_one():
    of = np.arange(200) < 60
    drawn = clustered(ints(np.arange(200)), share(of, np.ones(200, dtype=bool)), 4000)
    wide = stats.binom.ppf([0.025, 0.975], 200, 0.3) / 200
    assert (drawn.low, drawn.high) == pytest.approx(tuple(wide), abs=0.01)


def test_copies_of_a_patients_vessel_do_not_narrow_the_interval():
    of = np.arange(100) < 30
    every = np.ones(100, dtype=bool)
    once = clustered(ints(np.arange(100)), share(of, every), 2000)
    often = clustered(
        ints(np.repeat(np.arange(100), 5)), share(np.repeat(of, 5), np.repeat(every, 5)), 2000
    )
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=1e-9)


def test_the_same_seed_draws_the_same_interval():
    pairs = cohort(n=40)
    assert auc_estimate(pairs, 300) == auc_estimate(pairs, 300)


def test_icc_is_that_of_shrout_and_fleiss():
    # ICC(2,1) 0.29 of four judges; of two of them by the formula of the mean squares
    judged = np.array(JUDGES, dtype=float)
    x, y = judged[:, 0], judged[:, 3]
    rows, columns = judged[:, [0, 3]].mean(axis=1), judged[:, [0, 3]].mean(axis=0)
    grand = rows.mean()
    rest = judged[:, [0, 3]] - rows[:, None] - columns + grand
    bms, jms = 2 * np.sum((rows - grand) ** 2) / 5, 6 * np.sum((columns - grand) ** 2)
    ems = np.sum(rest**2) / 5
    known = (bms - ems) / (bms + ems + 2 * (jms - ems) / 6)
    assert icc_absolute(floats(x), floats(y))[0] == pytest.approx(known, abs=1e-6)


def test_weighted_ranks_and_correlation_are_those_of_the_rows_drawn():
    random = np.random.default_rng(6)
    x, y = floats(random.integers(0, 8, 25)), floats(random.normal(size=25))
    w = random.integers(0, 4, 25)
    drawn = np.repeat(np.arange(25), w)
    ranks = weighted_ranks(x, w[None, :].astype(float))[0]
    assert ranks[drawn] == pytest.approx(stats.rankdata(x[drawn]))
    r = weighted_pearson(np.broadcast_to(x, (1, 25)), y, w[None, :].astype(float))[0]
    assert r == pytest.approx(stats.pearsonr(x[drawn], y[drawn]).statistic)


def test_regressions_with_errors_in_both_find_the_line_and_treat_both_alike():
    random = np.random.default_rng(8)
    truth = random.uniform(0.5, 1.0, 400)
    x = floats(truth + random.normal(0, 0.03, 400))
    y = floats(0.1 + 0.9 * truth + random.normal(0, 0.03, 400))
    ones = np.ones((1, 400))
    slope, intercept = deming(x, y, ones)
    back, _ = deming(y, x, ones)
    assert slope[0] == pytest.approx(0.9, abs=0.03)
    assert intercept[0] == pytest.approx(0.1, abs=0.03)
    assert back[0] == pytest.approx(1 / slope[0])
    # the direction of most variance of both
    axis = np.linalg.eigh(np.cov(x, y))[1][:, -1]
    assert slope[0] == pytest.approx(axis[1] / axis[0])
    (b, ends), (a, _) = passing_bablok(x, y)
    assert (b, a) == pytest.approx((0.9, 0.1), abs=0.04)
    assert ends.low < 0.9 < ends.high
    assert passing_bablok(y, x)[0][0] == pytest.approx(1 / b, rel=1e-6)


def test_passing_and_bablok_find_an_exact_line_through_an_outlier():
    x = floats(np.arange(1, 12))
    y = np.array(2 * x + 1)
    y[3] = 90
    assert passing_bablok(x, floats(y))[0][0] == pytest.approx(2)
    slopes = [(y[i] - y[j]) / (x[i] - x[j]) for i, j in itertools.combinations(range(11), 2)]
    shift = sum(s < -1 for s in slopes)
    by_hand = sorted(slopes)[(len(slopes) - 1) // 2 + shift]
    assert passing_bablok(x, floats(y))[0][0] == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("prevalence", "model_sd", "row"),
    [
        # a table computed by sampling, for true FFR of SD 0.10 and 0.09
        (0.39, 0.00, (0.937, 0.913, 0.952, 0.986, 0.97, 0.046, 0.81, 0.89, 0.83)),
        (0.39, 0.03, (0.896, 0.871, 0.912, 0.964, 0.93, 0.075, 0.68, 0.80, 0.74)),
        (0.39, 0.07, (0.808, 0.791, 0.819, 0.891, 0.80, 0.145, 0.51, 0.62, 0.64)),
        (0.39, 0.11, (0.738, 0.731, 0.742, 0.816, 0.66, 0.220, 0.44, 0.51, 0.59)),
        (0.24, 0.00, (0.950, 0.885, 0.971, 0.989, 0.97, 0.046, 0.80, 0.88, 0.83)),
        (0.24, 0.05, (0.878, 0.796, 0.905, 0.938, 0.85, 0.108, 0.51, 0.64, 0.68)),
    ],
)
def test_the_ceiling_is_that_of_the_published_design_table(prevalence, model_sd, row):
    sd = 0.10 if prevalence > 0.3 else 0.09
    found = expected(true_mean(sd, prevalence, 0.8), sd, model_sd)
    values = list(found.model_dump().values())[1:]
    tolerance = [0.004] * 4 + [0.006, 0.001] + [0.01] * 3
    for value, printed, within in zip(values, row, tolerance, strict=True):
        assert value == pytest.approx(printed, abs=within)


def test_the_ceiling_agrees_with_sampling_the_same_model():
    random = np.random.default_rng(0)
    mean, sd, model_sd = 0.82, 0.1, 0.06
    size = mean * (1 - mean) / sd**2 - 1
    truth = random.beta(mean * size, (1 - mean) * size, 400_000)
    invasive = np.round(truth + random.normal(0, INVASIVE_SD, truth.size), 2)
    computed = np.round(truth + random.normal(0, model_sd, truth.size), 2)
    sick, called = invasive <= 0.801, computed <= 0.801
    found = expected(mean, sd, model_sd)
    assert found.accuracy == pytest.approx(np.mean(sick == called), abs=0.003)
    assert found.sensitivity == pytest.approx(np.mean(called[sick]), abs=0.004)
    assert found.pearson == pytest.approx(np.corrcoef(invasive, computed)[0, 1], abs=0.003)


def test_the_ceiling_of_a_cohort_finds_its_own_error_and_stands_beside_it():
    pairs = cohort(n=900, sd=0.06)
    found = ceiling(pairs)
    assert found.own_model_sd == pytest.approx(0.06, abs=0.003)
    table, area = table_at(pairs, 0.80, 100), auc_estimate(pairs, 100)
    assert found.prevalence == pytest.approx(table.prevalence.value, abs=0.003)
    assert found.own.accuracy == pytest.approx(table.accuracy.value, abs=0.03)
    assert found.own.auc == pytest.approx(area.value, abs=0.02)
    assert found.rows[0].accuracy > found.own.accuracy


def test_ffr_is_judged_as_printed_at_or_below_the_threshold():
    pairs = pairs_of([0.80, 0.81, 0.80, 0.805, 0.90], [0.804, 0.8049, 0.8051, 0.79, 0.95])
    found = table_at(pairs, 0.80, 50)
    assert (found.true_positive, found.false_positive) == (1, 2)
    assert (found.false_negative, found.true_negative) == (1, 1)
    assert found.changed_by_full_precision == 2


def test_the_table_at_075_is_another_one_than_at_080():
    found = table_at(pairs_of([0.78, 0.70], [0.74, 0.76]), 0.75, 50)
    assert (found.false_positive, found.false_negative) == (1, 1)


def test_a_patient_is_positive_if_any_vessel_is():
    vessels = pairs_of(
        [0.9, 0.7, 0.95, 0.9, 0.9, 0.7], [0.9, 0.85, 0.7, 0.9, 0.95, 0.7], [0, 0, 1, 2, 3, 3]
    )
    patients = patient_pairs(vessels)
    found = table_at(patients, 0.80, 50)
    assert len(patients) == 4
    assert (found.false_negative, found.false_positive, found.true_negative) == (1, 1, 1)
    assert found.true_positive == 1


def test_every_vessel_lies_in_one_band_and_edges_belong_to_the_printed_value():
    pairs = pairs_of([0.8] * 7, [0.7, 0.7049, 0.705, 0.754, 0.755, 0.804, 0.905])
    found = {b.name: b.n for b in bands(pairs, 50) if b.by == "computed"}
    assert found == {
        "0.70 or below": 2, "0.71-0.75": 2, "0.76-0.80": 2, "0.81-0.85": 0, "0.86-0.90": 0,
        "above 0.90": 1, "0.70-0.80": 6,
    }  # fmt: skip


def test_the_grey_zone_is_told_by_the_value_and_by_the_interval():
    pairs = pairs_of(
        [0.78, 0.85, 0.70, 0.95], [0.78, 0.79, 0.72, 0.95],
        ffr_low=[0.77, 0.72, 0.65, 0.90], ffr_high=[0.80, 0.86, 0.79, 0.99],
    )  # fmt: skip
    found = grey_zone(pairs, 50)
    assert (found.inside.count, found.accuracy_inside.count) == (2, 1)
    assert (found.unsure.count, found.accuracy_unsure.count) == (1, 0)
    assert (found.accuracy_sure.count, found.accuracy_sure.of) == (3, 3)


def test_a_right_interval_is_called_right_and_a_narrow_one_is_not():
    pairs = cohort(n=700, sd=0.06)
    found = calibration(pairs, 50)
    for level in found.levels:
        assert level.held_with_noise.value == pytest.approx(level.nominal, abs=0.035)
    assert found.levels[-1].held.value < found.levels[-1].held_with_noise.value
    assert found.error_ratio == pytest.approx(1.0, abs=0.05)
    half = (pairs.ffr_high - pairs.ffr_low) / 4
    narrow = pairs_of(
        pairs.invasive_ffr, pairs.ffr, pairs.patient, ffr_low=pairs.ffr - half,
        ffr_high=pairs.ffr + half,
    )  # fmt: skip
    assert calibration(narrow, 50).levels[-1].held_with_noise.value < 0.85
    assert calibration(narrow, 50).error_ratio > 1.5


def test_probabilities_that_are_right_lie_on_the_line():
    random = np.random.default_rng(5)
    promised = random.random(3000)
    invasive = np.where(random.random(3000) < promised, 0.7, 0.9)
    found = calibration(pairs_of(invasive, np.full(3000, 0.8), probability=promised), 50)
    for one in found.bins:
        assert one.predicted == pytest.approx(one.observed.value, abs=0.05)
    assert sum(one.observed.of for one in found.bins) == found.brier.n == 3000
    assert found.brier.value == pytest.approx(1 / 6, abs=0.01)  # mean of p (1 - p)


def test_what_cannot_be_computed_says_why():
    alone = pairs_of([0.9], [0.85])
    found = roc(alone, 50)
    assert "one side" in found.auc.why_not
    assert bland_altman(alone, 50).lower.value is None
    assert correlation(alone, 50).pearson.why_not
    assert ceiling(alone).why_not
    assert calibration(alone, 50).why_not
    negative = table_at(pairs_of([0.9] * 5, [0.9, 0.7, 0.8, 0.9, 0.9]), 0.80, 50)
    assert negative.sensitivity.value is None
    assert negative.sensitivity.why_not == "no invasive reading is at or below the threshold"
    assert negative.specificity.value == 0.6
