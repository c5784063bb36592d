"""Texts by commands: dljax chat, and dljax sample with options of texts."""

import io
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import DECODERS, module_of, tiny
from conftest import ROOT
from refusal import refused

from dljax.analysis.chat import Conversation
from dljax.analysis.generate import Text, generate
from dljax.data.sources.text import Characters

LETTERS = Characters("\nabcdefghijklmnop")


class Next(nn.Module):
    """After each letter comes the next one of the alphabet, and after the last one the first."""

    @nn.compact
    def __call__(self, tokens, *, train, decode=False, padding=None):
        return 50 * jax.nn.one_hot((tokens + 1) % len(LETTERS), len(LETTERS))


@pytest.mark.parametrize("context", [None, 5, 100])
@pytest.mark.parametrize(
    "until, length, expected",
    [
        ("", 20, "abcdefghijklmnop\nabc"),
        ("ef", 20, "abcd"),
        ("op\na", 40, "abcdefghijklmn"),
        ("ef", 3, "abc"),
        ("\n\n", 4, "abcd"),
    ],
)
def test_an_answer_ends_where_it_should(key, context, until, length, expected):
    look = Text(Next(), LETTERS, "a", 0.0, length=length, context=context)
    talk = Conversation(look, {}, key, until)
    pieces = list(talk.say("hello"))
    assert "".join(pieces) == expected
    if length == 20 and not until and context is None:
        assert len(pieces) == 2, "the text comes as it is made"
    assert "".join(talk.say("on")) == expected
    said = LETTERS.decode(talk.tokens)
    ended = expected + (until if len(expected) < length else "")
    assert said == f"hello\n{ended}on\n{ended}"
    before = list(talk.tokens)
    with refused("'z' is not among the 17 characters"):
        talk.say("z")
    assert talk.tokens == before
    stopped = Text(Next(), LETTERS, "a", 0.0, length=length, context=context, stop=3)
    assert "".join(Conversation(stopped, {}, key, "").say("a")) == "ab"


def test_an_answer_goes_on_from_the_whole_text(key):
    model, params = tiny(module_of(DECODERS[0]), 0.3)[:2]
    context = getattr(model, "context", None)
    look = Text(model, LETTERS, "a", 0.0, length=8, context=context)
    talk = Conversation(look, params, key, "")
    for line in ("h", "o"):
        prompt = [*talk.tokens, *LETTERS.encode(line + "\n")]
        answer = "".join(talk.say(line))
        if context is not None:
            prompt = prompt[-(context - min(16, context // 2)) :]
        tokens = jnp.asarray([prompt], jnp.int32)
        expected = generate(model, params, tokens, key, length=8, temperature=0.0, context=context)
        assert answer == LETTERS.decode(expected[0])


def test_commands(command, monkeypatch, tmp_path):
    """On a small GPT, trained for a moment on its fake twin."""
    file = str(ROOT / "experiments" / "transformers" / "gpt.py")
    words = ("--fake", "--variant", "tiny", "--steps", "2", "--batch", "8")
    assert command("train", file, *words, "--workdir", "run")[0] == 0

    def sample(*options):
        words = ("sample", "run", "--prompt", "Is it", "--length", "6", *options)
        status, out, error = command(*words)
        assert status == 0, error
        return out.split("run/samples")[0]

    likeliest = sample("--temperature", "0")
    assert likeliest.startswith("Is it") and len(likeliest.rstrip("\n")) <= 11
    assert sample("--top-k", "1", "--top-p", "0.5") == likeliest == sample("--beams", "1")
    for words, told in (
        (("--top-p", "1.5"), "--top-p 1.5: expected 0 to 1"),
        (("--length", "0"), "--length 0: expected 1"),
        (("--top-q", "3"), "no knob --top-q"),
    ):
        status, _, error = command("sample", "run", *words)
        assert status == 2 and told in error and error.count("\n") == 1

    def chat(lines, *options):
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        return command("chat", "run", *options)

    status, out, error = chat("The\nold\n", "--length", "5", "--until", "")
    assert status == 0 and not error and out.strip()
    status, _, error = chat("", "--temperature", "-1")
    assert status == 2 and "--temperature -1.0: expected 0 to" in error
    smooth = str(ROOT / "tests" / "smooth_digits.py")
    assert command("train", smooth, "--steps", "2", "--workdir", "digits")[0] == 0
    status, _, error = command("sample", "digits", "--top-k", "3")
    assert status == 2 and "is no run of a language model" in error


class Any(nn.Module):
    """Every token is as likely as any other."""

    @nn.compact
    def __call__(self, tokens, *, train, decode=False, padding=None):
        return jnp.zeros((*tokens.shape, len(LETTERS)))


def test_every_answer_is_drawn_anew(key):
    talk = Conversation(Text(Any(), LETTERS, "a", 1.0, length=40), {}, key, "")
    answers = ["".join(talk.say("a")) for _ in range(3)]
    assert len(set(answers)) == 3
    first = answers[0]
    # And each piece of sixteen tokens within one.
    assert first[:16] != first[16:32]


class Begun(Characters):
    """The letters, behind a token that begins every text."""

    def encode(self, text):
        return np.concatenate([[0], super().encode(text)]).astype(np.int32)


def test_the_token_of_the_beginning_stands_there_once(key):
    letters = Begun("\nabcdefghijklmnop")
    talk = Conversation(Text(Next(), letters, "a", 0.0, length=2), {}, key, "")
    for line in ("bc", "d"):
        "".join(talk.say(line))
    # begin, b c break, two more, d break, two more
    assert talk.tokens == [0, 2, 3, 0, 1, 2, 4, 0, 1, 2]
