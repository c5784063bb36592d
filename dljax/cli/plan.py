"""The command dljax plan: the cost of a run, before it runs."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

from dljax.cli.hardware import reachable
from dljax.cli.opening import open_experiment, start
from dljax.cli.parsing import Parser, parse_with_knobs
from dljax.errors import UserError
from dljax.runtime.profile import MOST_STAND_INS, Profile, check_flags, load_profile

SUMMARY = "parameters, FLOPs, memory and compile time on a profile, without training"

_DESCRIPTION = """The cost of FILE on a profile: parameters, FLOPs, bytes on each device, compile seconds;
from abstract shapes, nothing is trained. A profile for devices that this machine lacks is laid
out on as many stand-ins made of its processor."""

_EXAMPLES = """
dljax plan experiments/convnets/lenet.py
dljax plan experiments/convnets/lenet.py --on configs/tpu_v5e_8.toml --json
"""

_STAND_IN = "DLJAX_STAND_IN"  # set for the process that plans on stand-ins


def _devices_wanted(profile: Profile) -> int:
    return max(1, profile.mesh.data) * max(1, profile.mesh.fsdp)


def _on_stand_ins(profile: Profile, argv: list[str]) -> int:
    """Plan in a new process, where the processor stands in for the profile's devices."""
    if _devices_wanted(profile) > MOST_STAND_INS:
        raise UserError(
            f"profile {profile.name!r}: a mesh of {_devices_wanted(profile):,} devices, which this machine "
            f"lacks: it stands in for {MOST_STAND_INS:,} at most"
        )
    flags = f"--xla_force_host_platform_device_count={_devices_wanted(profile)}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", _STAND_IN: "1"}
    if profile.device != "cpu":
        environment["DLJAX_PLAIN"] = "1"  # as it is compiled there
    done = subprocess.run([sys.executable, "-m", "dljax", "plan", *argv], env=environment)
    return done.returncode


def _amount(n: float, unit: str) -> str:
    step, prefixes = (1024, " KMGTP") if unit == "B" else (1000, " kMGTP")
    power = min(int(math.log(n, step)), 5) if n else 0
    prefix = prefixes[power].strip() + ("i" if unit == "B" and power else "")
    return f"{n / step**power:.3g} {prefix}{unit}"


def _words(found: dict[str, Any]) -> str:
    lines = [f"{found['experiment']} on {found['profile']}: {found['layout']}"]
    for index, phase in enumerate(found["phases"]):
        if len(found["phases"]) > 1:
            lines.append(f"phase {index}")
        lines += [
            f"  parameters         {phase['parameters']:,}",
            f"  batch              {phase['batch']:,}",
            f"  FLOPs per step     {_amount(phase['flops_per_step'], 'FLOP')}"
            "  (matrix products and convolutions)",
            "  on each device",
        ]
        for name, n in phase["bytes_per_device"].items():
            if n or name in ("params", "total"):
                lines.append(f"    {name:16} {_amount(n, 'B')}")
        lines.append(f"  compiled in        {phase['compile_seconds']} s")
    return "\n".join([*lines, *found["notes"]])


def main(argv: list[str]) -> int:
    """Run ``dljax plan`` and return its exit status."""
    parser = Parser("plan", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--on", metavar="PROFILE", help="a file or a name in configs/")
    parser.add_argument("--json", action="store_true", help="as JSON")
    options, path, knobs, words = parse_with_knobs(parser, argv)
    resolved = knobs.resolve(words, options.claim)
    asked = profile = load_profile(options.on)
    notes = []
    if os.environ.get(_STAND_IN):
        profile = replace(profile, device="cpu", host_devices=0, xla_flags=())
        notes.append(
            f"this machine lacks those devices: laid out on {_devices_wanted(profile)} stand-in(s) made "
            "of its processor; temporary memory and compile seconds are those of a CPU compilation"
        )
    elif not reachable(profile.device):
        return _on_stand_ins(profile, argv)
    check_flags(profile.environment().get("XLA_FLAGS", ""))
    try:
        start(profile)
    except UserError:
        if os.environ.get(_STAND_IN):
            raise
        return _on_stand_ins(profile, argv)
    import jax

    from dljax.analysis.plan import plan
    from dljax.runtime.execute import make_mesh

    mesh = make_mesh(profile)
    kind = jax.devices()[0].platform if profile.device == "auto" else asked.device
    data, fsdp = mesh.shape["data"], mesh.shape["fsdp"]
    if profile.executor == "pmap":
        notes.append("executor = pmap holds the whole state on each device; planned as jit")
    planned = plan(open_experiment(path, resolved), profile)
    found = {
        "experiment": path.stem,
        "profile": asked.name,
        "layout": f"{data * fsdp} {kind} device{'s' * (data * fsdp > 1)} (data {data} x fsdp {fsdp})",
        "devices": data * fsdp,
        "stand_ins": bool(os.environ.get(_STAND_IN)),
        **planned,
        "notes": notes,
    }
    print(json.dumps(found, indent=1) if options.json else _words(found))
    return 0
