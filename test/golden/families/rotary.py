# Writes rotary.json: frequencies and factors of every kind of rotary positions as transformers 5.18 (torch 2.13.0) computes them, each for
# some lengths of a sequence, with the config.json fields that ask for them. Frequencies are printed as the f32 they are.
import json
import os

import torch
from transformers import AutoConfig
from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

SIZE = dict(hidden_size=256, num_attention_heads=4, num_hidden_layers=2)
OLD = dict(SIZE, max_position_embeddings=4096, rope_theta=10000.0)
LLAMA3 = dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
CASES = {
    "default": ("llama", dict(SIZE, rope_parameters=dict(rope_type="default", rope_theta=500000.0))),
    "nothing said": ("llama", SIZE),
    "heads of 80": ("llama", dict(OLD, head_dim=80, rope_scaling=None)),
    "linear, old": ("llama", dict(OLD, rope_scaling=dict(type="linear", factor=2.5))),
    "dynamic, old": ("llama", dict(OLD, rope_scaling=dict(type="dynamic", factor=4.0))),
    "dynamic": ("llama", dict(SIZE, max_position_embeddings=100, rope_parameters=dict(rope_type="dynamic", factor=3, rope_theta=1000.0))),
    "llama3": ("llama", dict(SIZE, head_dim=128, max_position_embeddings=131072, rope_theta=500000.0, rope_scaling=LLAMA3)),
    "llama3, original outside": ("llama", dict(
        SIZE, max_position_embeddings=4096, original_max_position_embeddings=512, rope_theta=500000.0, rope_scaling=LLAMA3)),
    "yarn": ("llama", dict(
        SIZE, max_position_embeddings=32768, rope_theta=1e6, rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32768))),
    "yarn, original missing": ("llama", dict(SIZE, max_position_embeddings=2048, rope_scaling=dict(rope_type="yarn", factor=2.0))),
    "yarn, betas": ("llama", dict(SIZE, max_position_embeddings=4096, rope_theta=1e4, rope_scaling=dict(
        rope_type="yarn", factor=16.0, original_max_position_embeddings=4096, beta_fast=64, beta_slow=2, attention_factor=0.9))),
    "yarn, mscale, whole": ("llama", dict(SIZE, max_position_embeddings=4096, rope_theta=1e4, rope_scaling=dict(
        rope_type="yarn", factor=40.0, original_max_position_embeddings=4096, mscale=0.707, mscale_all_dim=1.0, truncate=False))),
    "yarn, one bound": ("llama", dict(
        SIZE, head_dim=4, max_position_embeddings=64, rope_scaling=dict(rope_type="yarn", factor=2.0, original_max_position_embeddings=6))),
    "neox, nothing said": ("gpt_neox", SIZE),
    "neox, old": ("gpt_neox", dict(SIZE, rotary_pct=0.5, rotary_emb_base=25000, rope_scaling=dict(type="linear", factor=3.0))),
    "neox, odd": ("gpt_neox", dict(SIZE, rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.33))),
    "gemma3, old": ("gemma3_text", dict(
        SIZE, head_dim=32, rope_theta=2e6, rope_local_base_freq=5000.0, rope_scaling=dict(rope_type="linear", factor=8.0))),
    "gemma3": ("gemma3_text", dict(SIZE, head_dim=32, layer_types=["sliding_attention", "full_attention"], max_position_embeddings=512,
                                   rope_parameters={
        "full_attention": dict(rope_type="yarn", factor=4.0, rope_theta=1e6, truncate=False, original_max_position_embeddings=512),
        "sliding_attention": dict(rope_type="default")})),
}
CLASSES = dict(llama=LlamaRotaryEmbedding, gpt_neox=GPTNeoXRotaryEmbedding)


def rotaries(model_type, fields, length):
    config = AutoConfig.for_model(model_type, **json.loads(json.dumps(fields)))
    x, places = torch.zeros(1), torch.arange(length)[None]
    if model_type == "gemma3_text":
        if "layer_types" not in fields:
            config.layer_types = ["sliding_attention", "full_attention"]
        made = Gemma3RotaryEmbedding(config)
        kinds = ["full_attention", "sliding_attention"]
        return [(getattr(made, f"{kind}_inv_freq"), getattr(made, f"{kind}_attention_scaling")) for kind in kinds]
    made = CLASSES[model_type](config)
    made(x, places)
    return [(made.inv_freq, made.attention_scaling)]


def main():
    cases = []
    for name, (model_type, fields) in CASES.items():
        lengths = [1, 5000, 20000] if "dynamic" in name else [1]
        answers = [dict(length=length, rotaries=[dict(frequencies=f.tolist(), factor=s) for f, s in rotaries(model_type, fields, length)])
                   for length in lengths]
        cases.append(dict(name=name, config=dict(fields, model_type=model_type), answers=answers))
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rotary.json")
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")


if __name__ == "__main__":
    main()
