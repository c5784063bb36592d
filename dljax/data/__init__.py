"""What it eats: sources, pipelines that are functions of the step, one file per dataset."""

from dljax.data.pipeline import Arrays as Arrays
from dljax.data.pipeline import EvalSet as EvalSet
from dljax.data.pipeline import Pipeline as Pipeline
from dljax.data.pipeline import Source as Source
from dljax.data.pipeline import uniform as uniform
