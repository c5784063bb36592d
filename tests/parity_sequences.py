"""The rows of parity of sequence models: of text, of signals, of both."""

from parity.cases import (
    BERT,
    BILSTM,
    GPT1,
    GPT2,
    LLAMA,
    LRCN,
    LSTM,
    LSTM_CNN,
    ROBERTA,
    SEQ2SEQ,
    TCN,
    TEXT_CNN,
    TRANSFORMER,
    sentences,
    series,
    sources,
    targets,
    texts,
    tokens,
    video,
)
from parity_rows import SHORT, Row

from dljax.models.hybrids import lrcn, lstm_cnn, tcn, text_cnn
from dljax.models.recurrent import bilstm, gru, lstm, rnn, seq2seq
from dljax.models.transformers import bert, gpt, gpt1, llama, transformer
from dljax.weights import bert as bert_names
from dljax.weights import bilstm as bilstm_names
from dljax.weights import gpt as gpt_names
from dljax.weights import gpt1 as gpt1_names
from dljax.weights import gru as gru_names
from dljax.weights import llama as llama_names
from dljax.weights import lrcn as lrcn_names
from dljax.weights import lstm as lstm_names
from dljax.weights import lstm_cnn as lstm_cnn_names
from dljax.weights import rnn as rnn_names
from dljax.weights import seq2seq as seq2seq_names
from dljax.weights import tcn as tcn_names
from dljax.weights import text_cnn as text_cnn_names
from dljax.weights import transformer as transformer_names

SEQUENCES = "sequences_and_graphs.npz"
DECODERS = "decoders.npz"
NARROW = {**LRCN, "stages": tuple(lrcn.Stage(*stage) for stage in LRCN["stages"])}
SEQUENCE_ROWS = {
    "transformers' GPT-2": Row(
        gpt, "gpt2", GPT2, gpt_names, (tokens(),), (SEQUENCES, "gpt2"), SHORT
    ),
    "transformers' OpenAI GPT": Row(
        gpt1, "gpt1", GPT1, gpt1_names, (tokens(),), (DECODERS, "gpt1"), SHORT
    ),
    "transformers' Llama": Row(
        llama, "llama2-7b", LLAMA, llama_names, (tokens(),), (DECODERS, "llama"), SHORT
    ),
    "Meta's Llama": Row(
        llama,
        "llama2-7b",
        LLAMA,
        llama_names,
        (tokens(),),
        (DECODERS, "meta"),
        SHORT,
        map="meta_entries",
    ),
    "transformers' BERT": Row(
        bert, "bert-base", BERT, bert_names, texts(0), ("bert.npz", "bert_model"), SHORT
    ),
    "transformers' RoBERTa": Row(
        bert,
        "roberta-base",
        ROBERTA,
        bert_names,
        (texts(1)[0],),
        ("bert.npz", "roberta_model"),
        SHORT,
    ),
    "torch's LSTM": Row(lstm, "small", LSTM, lstm_names, (tokens(),), (SEQUENCES, "lstm"), SHORT),
    **{
        f"torch's {what}": Row(
            architecture,
            variant,
            LSTM,
            names,
            (tokens(),),
            ("recurrent.npz", f"{golden}_language"),
            SHORT,
        )
        for what, architecture, variant, names, golden in (
            ("RNN", rnn, "tanh", rnn_names, "tanh"),
            ("RNN with ReLU", rnn, "relu", rnn_names, "relu"),
            ("GRU", gru, "small", gru_names, "gru"),
        )
    },
    **{
        what: Row(architecture, variant, changes, names, inputs, ("hybrids.npz", golden), SHORT)
        for what, golden, architecture, variant, changes, names, inputs in (
            ("Kim's CNN", "text_cnn", text_cnn, "rand", TEXT_CNN, text_cnn_names, (sentences(),)),
            ("torch's BiLSTM", "bilstm", bilstm, "168", BILSTM, bilstm_names, (sentences(),)),
            (
                "Keras' LSTM-CNN",
                "lstm_cnn",
                lstm_cnn,
                "vs",
                LSTM_CNN,
                lstm_cnn_names,
                (sentences(),),
            ),
            ("torch's TCN", "tcn", tcn, "mnist", TCN, tcn_names, (series(),)),
            ("torch's LRCN", "lrcn", lrcn, "activity", NARROW, lrcn_names, (video(),)),
        )
    },
    **{
        f"torch's {what}": Row(
            architecture,
            variant,
            changes,
            names,
            (sources(), targets()),
            ("translation.npz", golden),
            SHORT,
        )
        for what, architecture, variant, changes, names, golden in (
            ("seq2seq", seq2seq, "tiny-plain", SEQ2SEQ, seq2seq_names, "plain"),
            ("additive attention", seq2seq, "tiny", SEQ2SEQ, seq2seq_names, "additive"),
            (
                "multiplicative attention",
                seq2seq,
                "tiny-multiplicative",
                SEQ2SEQ,
                seq2seq_names,
                "multiplicative",
            ),
            ("Transformer", transformer, "tiny", TRANSFORMER, transformer_names, "transformer"),
        )
    },
}
