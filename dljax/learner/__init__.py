"""Learners: pure functions over one State. No jit, no I/O, no models."""

from dljax.learner.combinators import accumulate as accumulate
from dljax.learner.combinators import decay_mask as decay_mask
from dljax.learner.combinators import freeze as freeze
from dljax.learner.combinators import keep_best as keep_best
from dljax.learner.combinators import many_seeds as many_seeds
from dljax.learner.combinators import mixed_precision as mixed_precision
from dljax.learner.combinators import scale_by_path as scale_by_path
from dljax.learner.core import Learner as Learner
from dljax.learner.core import Player as Player
from dljax.learner.core import Start as Start
from dljax.learner.core import State as State
from dljax.learner.core import learn as learn
from dljax.learner.core import make_learner as make_learner
from dljax.learner.core import named as named
