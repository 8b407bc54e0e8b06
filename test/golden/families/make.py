# Writes the golden folders of the families: python make.py [name ...]. Each holds a tiny random model as transformers saves it, and
# reference.safetensors: logits, inputs and outputs of every MLP for two prompts (in its metadata). Made with torch 2.13.0 and transformers 5.18.
# Attention of random weights is nearly a maximum: some models turn a last bit into 1e-4. The first seed is taken whose answers in f32
# lie within a quarter of the tests' tolerance (1e-4, and 1e-5 of a row's largest) of those in f64.
import os
import shutil
import sys
import zlib

import torch

from random_model import config_of, ids, noise, reference, write_model, write_reference

V = 61
SIZE = dict(vocab_size=V, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
            bos_token_id=1, eos_token_id=2, pad_token_id=0)
GPT2 = dict(vocab_size=V, n_embd=24, n_head=3, n_layer=3, n_positions=32, bos_token_id=1, eos_token_id=2)
EYES = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=28, patch_size=14)
SLIDE, FULL = "sliding_attention", "full_attention"


def gemma3(**fields):
    return dict(SIZE, num_key_value_heads=2, head_dim=10, query_pre_attn_scalar=11, **fields)


def by_type(full, theta=10_000.0):
    return {FULL: full, SLIDE: {"rope_type": "default", "rope_theta": theta}}


# name: (model_type, fields, how it is written, lengths of the prompts)
CASES = {
    "gpt2-by-layer": ("gpt2", dict(
        GPT2, n_inner=37, scale_attn_by_inverse_layer_idx=True, activation_function="gelu", tie_word_embeddings=False), {}, (23, 9)),
    "gpt2-unscaled": ("gpt2", dict(GPT2, n_layer=2, scale_attn_weights=False, activation_function="relu"), dict(dtype="float16"), (7, 19)),
    "neox-parallel": ("gpt_neox", dict(SIZE, num_attention_heads=3, max_position_embeddings=64), {}, (23, 9)),
    "neox-sequential": ("gpt_neox", dict(
        SIZE, hidden_size=30, num_attention_heads=3, use_parallel_residual=False, attention_bias=False, max_position_embeddings=16,
        hidden_act="gelu_fast", tie_word_embeddings=True, rope_parameters=dict(
            rope_type="linear", factor=2.5, rope_theta=500.0, partial_rotary_factor=0.7)), dict(old="neox"), (29, 5)),
    "llama-biased": ("llama", dict(
        SIZE, hidden_size=30, num_attention_heads=6, num_key_value_heads=2, head_dim=8, attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3,
        max_position_embeddings=64), {}, (23, 9)),
    "llama-linear": ("llama", dict(
        SIZE, num_key_value_heads=1, tie_word_embeddings=True, max_position_embeddings=16,
        rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=300.0)), dict(old="rope"), (33, 9)),
    "llama-dynamic": ("llama", dict(
        SIZE, max_position_embeddings=16, rope_parameters=dict(rope_type="dynamic", factor=3.0, rope_theta=200.0)), dict(old="rope"), (39, 11)),
    "llama-llama3": ("llama", dict(
        SIZE, num_key_value_heads=2, head_dim=12, tie_word_embeddings=True, max_position_embeddings=64, rope_parameters=dict(
            rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16,
            rope_theta=50.0)), {}, (41, 9)),
    "llama-yarn": ("llama", dict(
        SIZE, num_hidden_layers=3, head_dim=12, max_position_embeddings=64,
        rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=100.0)), dict(dtype="bfloat16"), (41, 9)),
    "mistral-window": ("mistral", dict(
        SIZE, num_attention_heads=6, num_key_value_heads=3, head_dim=6, sliding_window=7, max_position_embeddings=64), {}, (31, 5)),
    "mistral-shards": ("mistral", dict(
        SIZE, num_key_value_heads=2, sliding_window=None, max_position_embeddings=64), dict(dtype="bfloat16", shard="12kB", old="rope"), (17, 9)),
    "gemma": ("gemma", dict(
        SIZE, num_key_value_heads=1, head_dim=10, hidden_act="gelu", max_position_embeddings=64),
        dict(change=dict(hidden_act="gelu", hidden_activation=None)), (23, 9)),
    "gemma2-capped": ("gemma2", dict(
        SIZE, num_hidden_layers=3, num_key_value_heads=2, head_dim=8, query_pre_attn_scalar=13, sliding_window=5, attn_logit_softcapping=3.0,
        final_logit_softcapping=5.0, max_position_embeddings=64), {}, (23, 9)),
    "gemma2-by-type": ("gemma2", dict(
        SIZE, num_key_value_heads=4, head_dim=6, query_pre_attn_scalar=24, sliding_window=4, attn_logit_softcapping=None,
        final_logit_softcapping=None, attention_bias=True, tie_word_embeddings=False, layer_types=[FULL, SLIDE],
        max_position_embeddings=64), dict(dtype="bfloat16"), (19, 3)),
    "gemma3-text": ("gemma3_text", gemma3(
        max_position_embeddings=64, sliding_window=5, layer_types=[SLIDE, FULL], attn_logit_softcapping=2.0, final_logit_softcapping=9.0,
        rope_parameters=by_type({"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}, 77.0)), {}, (23, 9)),
    "gemma3-eyes": ("gemma3", dict(
        text_config=gemma3(num_hidden_layers=3, max_position_embeddings=64, sliding_window=6, sliding_window_pattern=2,
                           layer_types=[SLIDE, FULL, SLIDE], rope_parameters=by_type({"rope_type": "default", "rope_theta": 3e4})),
        vision_config=EYES, mm_tokens_per_image=1), dict(dtype="bfloat16", old="gemma3"), (23, 9)),
    "qwen2-window": ("qwen2", dict(
        SIZE, num_hidden_layers=3, num_key_value_heads=2, use_sliding_window=True, sliding_window=6, max_window_layers=1, max_position_embeddings=64,
        rope_parameters=dict(rope_type="default", rope_theta=1e6)), dict(change=dict(layer_types="absent")), (23, 9)),
    "qwen2-yarn": ("qwen2", dict(
        SIZE, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=16, rope_parameters=dict(
            rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=1000.0, beta_fast=8, beta_slow=0.5)),
        dict(dtype="float16", old="rope"), (43, 9)),
    "qwen3": ("qwen3", dict(
        SIZE, num_attention_heads=3, num_key_value_heads=1, head_dim=10, attention_bias=True, use_sliding_window=True, sliding_window=5,
        layer_types=[SLIDE, FULL], max_position_embeddings=64), {}, (23, 9)),
    "olmo": ("olmo", dict(SIZE, num_key_value_heads=2, max_position_embeddings=64), {}, (23, 9)),
    "olmo2": ("olmo2", dict(
        SIZE, num_key_value_heads=2, max_position_embeddings=64, rope_parameters=dict(rope_type="default", rope_theta=5e5)), {}, (23, 9)),
}


def make(name):
    model_type, fields, how, lengths = CASES[name]
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    for seed in range(zlib.crc32(name.encode()), 2**32):
        shutil.rmtree(folder, ignore_errors=True)
        write_model(folder, config_of(model_type, **fields), seed, **how)
        prompts = [ids(length, V, seed + i) for i, length in enumerate(lengths)]
        tensors = reference(folder, prompts)
        absolute, relative = noise(tensors, reference(folder, prompts, torch.float64))
        if absolute <= 2.5e-5 and relative <= 2.5e-6:
            return write_reference(folder, prompts, tensors)


if __name__ == "__main__":
    for name in sys.argv[1:] or CASES:
        make(name)
