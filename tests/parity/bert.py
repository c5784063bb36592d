"""Outputs of transformers' BERT and RoBERTa with each head, and of every layer, on the recipe's weights.

python tests/parity/bert.py      (needs torch, transformers)
"""

from pathlib import Path

import numpy as np
import torch
import transformers
from cases import BERT, ROBERTA, texts
from recipe import weights

GOLDEN = Path(__file__).parent / "golden"
# name of the output here -> transformers' class, and attributes of its output, joined by their last axis
HEADS = {
    "masked": ("ForMaskedLM", ("logits",)),
    "classes": ("ForSequenceClassification", ("logits",)),
    "tags": ("ForTokenClassification", ("logits",)),
    "spans": ("ForQuestionAnswering", ("start_logits", "end_logits")),
}
PRETRAINING = ("prediction_logits", "seq_relationship_logits")


def config(kind: str, case: dict) -> transformers.PretrainedConfig:
    return getattr(transformers, f"{kind}Config")(
        vocab_size=case["vocabulary"],
        hidden_size=case["features"],
        num_hidden_layers=case["layers"],
        num_attention_heads=case["heads"],
        intermediate_size=case["hidden"],
        max_position_embeddings=case["positions"],
        type_vocab_size=case.get("types", 2),
        layer_norm_eps=case.get("epsilon", 1e-12),
        pad_token_id=case.get("padding", 0),
        num_labels=5,
    )


def filled(module: torch.nn.Module) -> torch.nn.Module:
    """The module with the recipe's weights; its decoder is its embedding and the head's bias again."""
    names = {k: tuple(v.shape) for k, v in module.state_dict().items() if ".decoder." not in k}
    arrays = {k: torch.from_numpy(v) for k, v in weights(names).items()}
    left, extra = module.load_state_dict(arrays, strict=False)
    assert all(".decoder." in name for name in left) and not extra, (left, extra)
    module.tie_weights()
    return module.eval()


@torch.no_grad()
def main() -> None:
    out = {}
    for kind, case in (("Bert", BERT), ("Roberta", ROBERTA)):
        name, padding = kind.lower(), case.get("padding", 0)
        tokens, types = (torch.from_numpy(x).long() for x in texts(padding))
        given = {"input_ids": tokens, "attention_mask": (tokens != padding).long()}
        if kind == "Bert":
            given["token_type_ids"] = types

        def net(which: str, kind=kind, case=case):
            return filled(getattr(transformers, f"{kind}{which}")(config(kind, case)))

        found = filled(
            getattr(transformers, f"{kind}Model")(config(kind, case), add_pooling_layer=True)
        )(**given, output_hidden_states=True)
        out[f"{name}_model"] = found.pooler_output.numpy()
        out[f"{name}_hidden"] = torch.stack(found.hidden_states).numpy()
        for head, (which, parts) in HEADS.items():
            if which == "ForQuestionAnswering":
                case_config = config(kind, case)
                case_config.num_labels = 2
                module = filled(getattr(transformers, f"{kind}{which}")(case_config))
            else:
                module = net(which)
            values = [getattr(module(**given), part) for part in parts]
            whole = torch.stack(values, -1) if len(values) > 1 else values[0]
            out[f"{name}_{head}"] = whole.numpy()
        if kind == "Bert":
            found = net("ForPreTraining")(**given)
            for part in PRETRAINING:
                out[f"{name}_{part}"] = getattr(found, part).numpy()
    np.savez_compressed(GOLDEN / "bert.npz", **out)


main()
