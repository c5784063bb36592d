"""Weights that come from elsewhere or go there: files, other libraries' names, other runs.

A file named after an architecture has ``entries(model)``: which array of the reference implementation
is which variable of ours.

    Phase(..., start=weights.load("resnet18.safetensors", resnet.entries(model)))
    Phase(..., start=weights.from_run("runs/vae-1a2b"))
"""

from dljax.weights.files import read as read
from dljax.weights.files import write as write
from dljax.weights.mapping import Entry as Entry
from dljax.weights.mapping import Join as Join
from dljax.weights.mapping import export as export
from dljax.weights.mapping import from_variables as from_variables
from dljax.weights.mapping import renamed as renamed
from dljax.weights.mapping import to_variables as to_variables
from dljax.weights.start import from_run as from_run
from dljax.weights.start import load as load
from dljax.weights.start import restore_raw as restore_raw
