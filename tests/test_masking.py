"""Masked tokens: which, by what, and of which draws."""

import numpy as np
from refusal import refused

from dljax.data import Arrays, EvalSet, Pipeline
from dljax.data.masking import masked
from dljax.data.sources.text import NO_TARGET

SPECIAL = (0, 1, 2, 3, 4)
HIDE = masked(1000, 4, SPECIAL)


def rows(n: int) -> np.ndarray:
    """[CLS], 40 tokens, [SEP], padding."""
    text = np.random.default_rng(0).integers(5, 1000, (n, 40))
    tokens = np.pad(text, ((0, 0), (1, 5)))
    tokens[:, 0], tokens[:, 41] = 2, 3
    return tokens.astype(np.int32)


def test_shares():
    tokens = rows(5000)
    out = Pipeline(Arrays({"tokens": tokens}), 5000, transform=HIDE, shuffle=False).batch(0)
    chosen = out["targets"] != NO_TARGET
    assert (chosen.sum(1) == 6).all()  # 15 % of 40
    assert not np.isin(tokens[chosen], SPECIAL).any()
    np.testing.assert_array_equal(out["targets"][chosen], tokens[chosen])
    np.testing.assert_array_equal(out["tokens"][~chosen], tokens[~chosen])
    now, then = out["tokens"][chosen], tokens[chosen]
    # Of 30,000: standard deviations are 0.0023 and 0.0017; four of them. One in 995 is drawn as it was.
    assert abs((now == 4).mean() - 0.8) < 0.0093
    assert abs((now == then).mean() - 0.1) < 0.0071
    other = now[(now != 4) & (now != then)]
    assert not np.isin(other, SPECIAL).any() and len(np.unique(other)) > 800
    # Every place is as likely: 750 of 5000, with a deviation of 25.
    assert np.abs(chosen[:, 1:41].sum(0) - 750).max() < 4 * 25.3


def test_masks_are_of_seed_step_and_row():
    source = Arrays({"tokens": rows(8)})

    def batch(step: int, seed: int = 0, rows: slice = slice(None)) -> np.ndarray:
        return Pipeline(source, 4, seed, HIDE, shuffle=False).batch(step, rows)["targets"]

    np.testing.assert_array_equal(batch(0), batch(0))
    np.testing.assert_array_equal(batch(0)[2:], batch(0, rows=slice(2, None)))
    assert (batch(0) != batch(2)).any(), "the same examples, an epoch later"
    assert (batch(0) != batch(0, seed=1)).any()
    first, second = (list(EvalSet(source, HIDE).batches(n)) for n in (8, 4))
    np.testing.assert_array_equal(first[0]["tokens"][4:], second[1]["tokens"])


def test_short_rows():
    """One token is always chosen, and none where there is none."""
    tokens = np.array([[2, 9, 3, 0], [2, 3, 0, 0]], np.int32)
    out = HIDE({"tokens": tokens}, np.arange(2, dtype=np.uint64))
    assert out["targets"].tolist() == [[-1, 9, -1, -1], [-1] * 4]
    with refused("a rate of 1.5"):
        masked(10, 4, SPECIAL, 1.5)
