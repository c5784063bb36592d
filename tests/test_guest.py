"""A run inside somebody else's process leaves the settings of jax that it found."""

import jax
import pytest
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from dljax.runtime.processes import prepare, prepared
from dljax.runtime.profile import Profile

FOLDER, SECONDS = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"


def settings() -> tuple:
    return tuple(getattr(jax.config, name) for name in (FOLDER, SECONDS, "jax_debug_nans"))


@pytest.fixture(autouse=True)
def as_a_caller_finds_jax(tmp_path, monkeypatch):
    before = {name: getattr(jax.config, name) for name in (FOLDER, SECONDS)}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(SECONDS.upper(), raising=False)
    jax.config.update(FOLDER, None)
    jax.config.update(SECONDS, 1.0)  # jax's own
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    reset_cache()


def test_the_caller_who_set_nothing(tmp_path):
    ours = str(tmp_path / "dljax" / "compiled")
    with prepared(Profile()):
        assert settings() == (ours, 0.3, False)
        with prepared(Profile()):
            assert settings() == (ours, 0.3, False)
        assert settings() == (ours, 0.3, False)
    assert settings() == (None, 1.0, False)
    with pytest.raises(ZeroDivisionError), prepared(Profile(debug_nans=True)):
        assert settings() == (ours, 0.3, True)
        raise ZeroDivisionError
    assert settings() == (None, 1.0, False)
    with prepared(Profile(compilation_cache="off")):
        assert settings() == (None, 1.0, False)
    prepare(Profile())  # for a process that is dljax's own, to its end
    assert settings() == (ours, 0.3, False)


def test_the_caller_who_did(tmp_path, monkeypatch):
    jax.config.update(FOLDER, "/mine")
    with prepared(Profile()):
        assert settings() == ("/mine", 1.0, False)
    jax.config.update(SECONDS, 2.0)
    with prepared(Profile(compilation_cache=str(tmp_path))):  # the profile's word is the caller's
        assert settings() == (str(tmp_path), 2.0, False)
    assert settings() == ("/mine", 2.0, False)
    jax.config.update(FOLDER, None)
    jax.config.update(SECONDS, 1.0)
    monkeypatch.setenv(SECONDS.upper(), "1.0")
    with prepared(Profile()):
        assert settings() == (str(tmp_path / "dljax" / "compiled"), 1.0, False)


def test_the_cache_is_used_in_a_run_and_not_after_it(tmp_path):
    def compile(x: float) -> None:
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
        jax.jit(lambda y: y * x)(1.0).block_until_ready()

    folder = tmp_path / "cache"
    compile(1.5)
    with prepared(Profile(compilation_cache=str(folder))):
        jax.config.update(SECONDS, 0.0)
        compile(2.5)
        kept = set(folder.iterdir())
        assert kept
    jax.config.update(SECONDS, 0.0)
    compile(3.5)
    assert {f for f in folder.iterdir() if f.name.endswith("cache")} <= kept
