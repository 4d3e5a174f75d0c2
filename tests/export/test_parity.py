import numpy as np
import pytest

from edge_aver.errors import ParityError
from edge_aver.export.parity import check_step, first_diverging_block, measure_step, sqnr_db
from edge_aver.quantize import ParityLimits, load_recipe

REFERENCE = np.array([[3.0, 0.0], [0.0, 4.0]])


def test_equal_logits_pass_every_limit():
    step = measure_step("onnx", REFERENCE, REFERENCE, load_recipe("fp32").parity)

    assert step.passed
    assert (step.max_abs_diff, step.top1_agreement, step.clips) == (0.0, 1.0, 2)
    assert step.cosine == pytest.approx(1.0)


def test_the_ratio_is_energy_over_energy_of_the_difference():
    # 25 against 0.25 + 0: 20 dB.
    assert sqnr_db(REFERENCE, REFERENCE + np.array([[0.5, 0.0], [0.0, 0.0]])) == pytest.approx(20.0)


def test_a_step_outside_a_limit_names_what_was_measured():
    limits = ParityLimits(min_sqnr_db=15.0, min_top1_agreement=0.95)
    step = measure_step("quantized", REFERENCE, np.array([[3.0, 0.0], [5.0, 4.0]]), limits)

    assert not step.passed
    with pytest.raises(ParityError, match=r"sa\.onnx: parity failed at step 'quantized' on 2 clips.*50\.0%") as failure:
        check_step(step, "sa.onnx")
    assert failure.value.exit_status == 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_fail(value):
    candidate = REFERENCE.copy()
    candidate[0, 0] = value

    step = measure_step("engine", REFERENCE, candidate, ParityLimits(min_top1_agreement=0.0))

    assert not step.passed
    assert np.isfinite([step.max_abs_diff, step.sqnr_db, step.cosine]).all()


def test_first_diverging_block_is_the_first_in_order():
    good = np.ones((2, 3))
    outputs = {"stem": good, "stage0": good + 0.5, "head": good + 5}

    block = first_diverging_block(
        ["stem", "stage0", "head"], lambda _: good, outputs.__getitem__, ParityLimits(min_sqnr_db=15.0)
    )

    assert block == "stage0"
    assert first_diverging_block(["stem"], lambda _: good, outputs.__getitem__, ParityLimits(min_sqnr_db=15)) is None
