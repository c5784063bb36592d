"""Data: sources, transforms, pipelines that are functions of the step, and a file per dataset."""

from dljax.data.fingerprint import difference as difference
from dljax.data.fingerprint import fingerprint as fingerprint
from dljax.data.pipeline import Arrays as Arrays
from dljax.data.pipeline import EvalSet as EvalSet
from dljax.data.pipeline import Pipeline as Pipeline
from dljax.data.pipeline import Source as Source
from dljax.data.pipeline import uniform as uniform
