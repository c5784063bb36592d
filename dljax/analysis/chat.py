"""A conversation with a language model: a text that two continue in turn."""

from collections.abc import Iterator

import jax
import numpy as np

from dljax.analysis.continuation import left_padded
from dljax.analysis.generate import Text, ended, generate
from dljax.types import Key, PyTree

_AT_ONCE = 16  # tokens between two pieces of text that are shown
_UNBOUNDED = 256  # tokens of the history that a model without a bounded context is given


class Conversation:
    """Lines and a model's answers, all of them in its context as far as they fit.

    A line is put at the end of the text, with a line break; the answer is what the model has for the
    text to go on with, up to ``until``. All answers are of one compiled program.

    Attributes:
        tokens: of the whole text.
    """

    def __init__(self, look: Text, params: PyTree, key: Key, until: str = "\n\n"):
        """Begin without any text.

        Args:
            look: its model, vocabulary and context, how it draws, and the length of answers at most; its
                prompt is not used.
            params: the model's parameters.
            until: end of an answer; "" where answers have the full length or end in a stop token.
        """
        self.look, self.params, self.key, self.until = look, params, key, until
        self.tokens: list[int] = []
        self._drawn = 0
        self._at_once, self._wide = _AT_ONCE, _UNBOUNDED
        if look.context is not None:
            self._at_once = min(_AT_ONCE, max(1, look.context // 2))
            self._wide = look.context - self._at_once

    def say(self, line: str) -> Iterator[str]:
        """The answer to a line, piece by piece.

        Raises:
            UserError: the line has a character that the vocabulary lacks; the text is as before.
        """
        encode = self.look.vocabulary.encode
        said = encode(line + "\n")
        # What a vocabulary puts in front of every text stands in front of the whole one.
        first = len(encode("")) if self.tokens else 0
        self.tokens += [int(token) for token in said[first:]]
        return self._answer()

    def _answer(self) -> Iterator[str]:
        answer: list[int] = []
        shown, text, over = 0, "", False
        while not over:
            more = self._more()[: self.look.length - len(answer)]
            over = len(more) < self._at_once or len(answer) + len(more) >= self.look.length
            for token in more:
                self.tokens.append(token)
                answer.append(token)
                text = self.look.vocabulary.decode(answer)
                if self.until and self.until in text:
                    text, over = text[: text.index(self.until)], True
                    break
            # Held back: what may be a part of the end, or of a character.
            sure = text if over else text[: max(0, len(text) - len(self.until))].rstrip("\ufffd")
            if len(sure) > shown:
                yield sure[shown:]
                shown = len(sure)

    def _more(self) -> list[int]:
        """Some tokens after the text, fewer where a stop token ends them."""
        look = self.look
        recent = np.array(self.tokens[-self._wide :], np.int32)
        prompt, padding = left_padded([recent], self._wide)
        out = generate(
            look.model,
            self.params,
            prompt,
            jax.random.fold_in(self.key, self._drawn),
            length=self._at_once,
            temperature=look.temperature,
            top_k=look.top_k,
            top_p=look.top_p,
            stop=look.stop,
            context=look.context,
            padding=padding,
        )
        self._drawn += 1
        return [int(token) for token in ended(np.asarray(out[0]), look.stop)]
