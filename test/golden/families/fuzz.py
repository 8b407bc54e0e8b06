# Many random configurations of every family against `transweld logits`: python fuzz.py [count] [seed] [family ...]. Not run by the tests.
# A failure is a difference above 1e-4 and above 4 times what f32 itself is off: transformers in f32 against transformers in f64.
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file

from random_model import config_of, ids, noise, reference, write_model

COMMAND = os.environ.get("TRANSWELD", "node dist/lib/cli/main.js").split()
SLIDE, FULL = "sliding_attention", "full_attention"


def rope(r, window):
    """Parameters of a random kind, for contexts of `window`."""
    kind = r.choice(["default", "default", "linear", "dynamic", "llama3", "yarn"])
    p = dict(rope_type=kind, rope_theta=r.choice([100.0, 10000.0, 500000.0]))
    if kind != "default":
        p["factor"] = r.choice([1.5, 2.0, 4.0, 8.0])
    if kind == "llama3":
        p |= dict(low_freq_factor=1.0, high_freq_factor=r.choice([2.0, 4.0]), original_max_position_embeddings=r.choice([8, 16]))
    if kind == "yarn":
        p |= dict(original_max_position_embeddings=r.choice([8, 16, window]))
        p |= r.choice([{}, dict(beta_fast=8, beta_slow=2), dict(attention_factor=1.3), dict(mscale=0.7, mscale_all_dim=1.2), dict(truncate=False)])
    return p


def sizes(r, has_heads=True):
    heads = r.choice([1, 2, 3, 4, 5, 6, 8])
    share = r.choice([4, 6, 8, 10, 12, 16])
    s = dict(vocab_size=r.randint(11, 90), hidden_size=heads * share, intermediate_size=r.randint(7, 70), num_hidden_layers=r.randint(1, 5),
             num_attention_heads=heads, max_position_embeddings=r.choice([20, 64, 100]), bos_token_id=1, eos_token_id=2, pad_token_id=0)
    s["num_key_value_heads"] = r.choice([k for k in range(1, heads + 1) if heads % k == 0])
    if has_heads:
        s["head_dim"] = r.choice([4, 6, 8, 10, 14, 16, 20])
    return s


def kinds(r, layers):
    return [r.choice([SLIDE, FULL]) for _ in range(layers)]


def gpt2(r):
    heads = r.choice([1, 2, 3, 5, 7])
    return dict(vocab_size=r.randint(11, 90), n_embd=heads * r.choice([2, 3, 4, 7, 8]), n_head=heads, n_layer=r.randint(1, 5), n_positions=100,
                n_inner=r.choice([None, 5, 33]), activation_function=r.choice(["gelu_new", "gelu", "relu", "gelu_fast", "silu", "quick_gelu"]),
                layer_norm_epsilon=r.choice([1e-5, 1e-3]), scale_attn_weights=r.random() < 0.8, scale_attn_by_inverse_layer_idx=r.random() < 0.4,
                reorder_and_upcast_attn=r.random() < 0.3, tie_word_embeddings=r.random() < 0.5, bos_token_id=1, eos_token_id=2)


def neox(r):
    s = sizes(r, False)
    s.pop("num_key_value_heads")
    width = s["hidden_size"] // s["num_attention_heads"]
    p = rope(r, 64)
    p["partial_rotary_factor"] = r.choice([0.25, 0.5, 0.7, 1.0])
    columns = int(width * p["partial_rotary_factor"])
    if p["rope_type"] == "yarn" and columns % 2 or columns <= 2:
        p = dict(rope_type="default", rope_theta=p["rope_theta"], partial_rotary_factor=p["partial_rotary_factor"])
    return dict(s, rope_parameters=p, use_parallel_residual=r.random() < 0.6, attention_bias=r.random() < 0.7,
                hidden_act=r.choice(["gelu", "gelu_new", "relu"]), layer_norm_eps=r.choice([1e-5, 1e-3]), tie_word_embeddings=r.random() < 0.3)


def llama(r):
    s = sizes(r)
    return dict(s, rope_parameters=rope(r, 64), attention_bias=r.random() < 0.4, mlp_bias=r.random() < 0.4, tie_word_embeddings=r.random() < 0.5,
                rms_norm_eps=r.choice([1e-6, 1e-3]), hidden_act=r.choice(["silu", "silu", "gelu", "relu"]))


def mistral(r):
    s = sizes(r)
    return dict(s, rope_parameters=rope(r, 64), sliding_window=r.choice([None, 1, 2, 5, 17, 200]), tie_word_embeddings=r.random() < 0.5)


def gemma(r):
    s = sizes(r)
    return dict(s, rope_parameters=rope(r, 64), attention_bias=r.random() < 0.3, hidden_act=r.choice(["gelu", "gelu_pytorch_tanh"]),
                tie_word_embeddings=r.random() < 0.7)


def gemma2(r):
    s = sizes(r)
    return dict(s, rope_parameters=rope(r, 64), attention_bias=r.random() < 0.3, query_pre_attn_scalar=r.choice([3, 16, 50]),
                sliding_window=r.choice([1, 3, 7, 50]), attn_logit_softcapping=r.choice([None, 2.0, 50.0]), tie_word_embeddings=r.random() < 0.7,
                final_logit_softcapping=r.choice([None, 4.0, 30.0]),
                **({} if r.random() < 0.5 else dict(layer_types=kinds(r, s["num_hidden_layers"]))))


def gemma3_text(r):
    s = sizes(r)
    full = rope(r, 64)
    return dict(s, rope_parameters={FULL: full, SLIDE: dict(rope_type="default", rope_theta=r.choice([50.0, 10000.0]))},
                attention_bias=r.random() < 0.3, query_pre_attn_scalar=r.choice([3, 16, 50]), sliding_window=r.choice([1, 3, 7, 50]), layer_types=[
                    FULL if (i + 1) % 3 == 0 else SLIDE for i in range(s["num_hidden_layers"])
                ] if r.random() < 0.5 else kinds(r, s["num_hidden_layers"]),
                final_logit_softcapping=r.choice([None, 4.0]), attn_logit_softcapping=r.choice([None, 4.0]), tie_word_embeddings=r.random() < 0.7)


def gemma3(r):
    eyes = dict(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=28, patch_size=14)
    text = gemma3_text(r)
    return dict(text_config=text, vision_config=eyes, mm_tokens_per_image=1, tie_word_embeddings=r.random() < 0.7)


def qwen2(r):
    s = sizes(r, False)
    return dict(s, rope_parameters=rope(r, 64), tie_word_embeddings=r.random() < 0.5, use_sliding_window=r.random() < 0.6,
                sliding_window=r.choice([1, 4, 9]), max_window_layers=r.randint(0, 4))


def qwen3(r):
    s = sizes(r)
    own = dict(layer_types=kinds(r, s["num_hidden_layers"])) if r.random() < 0.5 else {}
    return dict(s, rope_parameters=rope(r, 64), tie_word_embeddings=r.random() < 0.5, attention_bias=r.random() < 0.4,
                sliding_window=r.choice([1, 4, 9]), use_sliding_window=True if own else r.random() < 0.6, max_window_layers=r.randint(0, 4), **own)


def olmo(r):
    s = sizes(r, False)
    return dict(s, rope_parameters=rope(r, 64), tie_word_embeddings=r.random() < 0.5, attention_bias=r.random() < 0.4)


FAMILIES = dict(gpt2=gpt2, gpt_neox=neox, llama=llama, mistral=mistral, gemma=gemma, gemma2=gemma2, gemma3_text=gemma3_text, gemma3=gemma3,
                qwen2=qwen2, qwen3=qwen3, olmo=olmo, olmo2=olmo)


def old_of(r, model_type):
    if r.random() < 0.5 or model_type == "gpt2":
        return None
    return {"gpt_neox": "neox", "gemma3": None, "gemma3_text": None}.get(model_type, "rope")


def context_of(text):
    """What stretches positions stretches the context too."""
    p, context = text.get("rope_parameters", {}), text.get("n_positions") or text["max_position_embeddings"]
    return int(context * p["factor"]) if p.get("rope_type") in ["linear", "dynamic"] else context


def one(model_type, number, folder):
    r = random.Random(f"{model_type} {number}")
    fields, dtype = FAMILIES[model_type](r), r.choice(["float32", "float32", "bfloat16", "float16"])
    how = dict(dtype=dtype, old=old_of(r, model_type), shard=r.choice([None, None, "20kB"]))
    write_model(folder, config_of(model_type, **json.loads(json.dumps(fields))), number, **how)
    text = fields.get("text_config", fields)
    prompt = ids(min(r.choice([1, 2, 13, 40, 64]), context_of(text)), text["vocab_size"], number)
    expected, is_f32_only = reference(folder, [prompt]), fields.get("reorder_and_upcast_attn")
    exact = expected if is_f32_only else reference(folder, [prompt], torch.float64)
    noisy, _ = noise({"logits.0": expected["logits.0"]}, {"logits.0": exact["logits.0"].double()})
    out = os.path.join(folder, "out.safetensors")
    ran = subprocess.run([*COMMAND, "logits", "--model", folder, "--ids", ",".join(map(str, prompt)), "--out", out], capture_output=True, text=True)
    if ran.returncode != 0:
        return ran.stderr.strip()[:400], True, {**fields, **how}
    made, known = load_file(out)["logits"].double(), exact["logits.0"].double()
    difference, ours = (made - expected["logits.0"]).abs().max().item(), (made - known).abs().max().item()
    if not difference <= 1e-4:
        words = f"{difference:.1e} off; from f64 transformers in f32 is {noisy:.1e} off, transweld {ours:.1e}"
        return words, not difference <= 4 * noisy, {**fields, **how}
    return None, difference, fields


def main():
    count, first = [int(given) if given else usual for given, usual in zip((sys.argv[1:3] + ["", ""])[:2], (10, 0))]
    for model_type in sys.argv[3:] or FAMILIES:
        worst, above, failed = 0.0, 0, 0
        for number in range(first, first + count):
            with tempfile.TemporaryDirectory() as folder:
                wrong, measured, fields = one(model_type, number, folder)
            if wrong is None:
                worst = max(worst, measured)
                continue
            failed, above = failed + measured, above + (not measured)
            print(f"{'FAIL' if measured else 'above'} {model_type} {number}: {wrong}\n  {json.dumps(fields)}", flush=True)
        print(f"{model_type}: {count} models, {failed} failed, {above} above 1e-4 as f32 itself is, the others to {worst:.1e}", flush=True)


if __name__ == "__main__":
    main()
