"""On made-up networks whose noise is a sum over int8 blocks: the guilty one is found, no more is spared than needed."""

import math

import pytest

from edge_aver.quantize.sensitivity import Damage, cheapest_mix, measure_blocks

NOISE = {"stem": 1e-2, "stage0": 1e-5, "softmax": 1e-3, "classifier": 2e-3}


def measuring(limit_db):
    seen = []

    def measure(int8):
        seen.append(int8)
        noise = sum(NOISE[block] for block in int8)
        sqnr_db = -10 * math.log10(noise) if noise else 300.0
        return Damage(sqnr_db=sqnr_db, top1_agreement=1.0, passed=sqnr_db >= limit_db)

    return measure, seen


def test_each_block_is_measured_alone_and_spared():
    measure, seen = measuring(20)

    damages = {item.block: item for item in measure_blocks(tuple(NOISE), measure)}

    assert len(seen) == 8
    assert damages["stem"].alone.sqnr_db == pytest.approx(20.0)
    assert damages["stem"].spared.sqnr_db == pytest.approx(-10 * math.log10(3.01e-3))


@pytest.mark.parametrize(
    ("limit_db", "kept"),
    [(15, ()), (24, ("stem",)), (29, ("stem", "classifier")), (45, ("stem", "classifier", "softmax"))],
)
def test_the_most_damaging_blocks_go_first_until_the_limit_holds(limit_db, kept):
    measure, _ = measuring(limit_db)

    assert cheapest_mix(measure_blocks(tuple(NOISE), measure), measure, cost=lambda block: 1.0) == kept


def test_a_dear_block_goes_later():
    measure, _ = measuring(17.5)
    costs = {"stem": 1e3, "stage0": 1.0, "softmax": 1.0, "classifier": 1.0}

    kept = cheapest_mix(measure_blocks(tuple(NOISE), measure), measure, cost=costs.__getitem__)

    assert kept == ()
    measure, _ = measuring(19.5)
    assert cheapest_mix(measure_blocks(tuple(NOISE), measure), measure, cost=costs.__getitem__)[0] == "classifier"


def test_no_mix_is_told():
    measure, _ = measuring(math.inf)

    assert cheapest_mix(measure_blocks(tuple(NOISE), measure), measure, cost=lambda block: 1.0) is None
