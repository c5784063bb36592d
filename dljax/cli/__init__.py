"""The command line: ``dljax train | list | describe | plan | eval | sample | sweep | launch | doctor``.

No module here imports jax before it must: help, ``list`` and a mistyped knob answer at once.
"""
