# Known answers of running models: what the modules of transformers' models read and give, what `generate` of transformers takes greedily, and
# which tokens its warpers leave. The models are those of ../families, so run this again whenever they were made anew.
# sites.safetensors: "<folder>/<module>.<input|output>" [T, width], for modules of layer 1 and the last norm. generate.json, warpers.json.
# Made with torch 2.13.0 and transformers 5.18.
import json
import os

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.generation import logits_process as warpers

HERE = os.path.dirname(os.path.abspath(__file__))
FAMILIES = os.path.join(HERE, "..", "families")
CODELM = os.path.join(HERE, "..", "..", "..", "examples", "codelm")
SITES = ["gpt2-by-layer", "neox-parallel", "neox-sequential", "gemma2-capped", "gemma3-text", "qwen3", "olmo2"]
ENDS = (
    "1", "ln_1", "ln_2", "attn", "attn.c_proj", "mlp", "mlp.c_proj", "mlp.c_fc", "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
    "post_feedforward_layernorm", "self_attn", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "attention", "attention.dense",
    "mlp.dense_h_to_4h", "mlp.dense_4h_to_h", "mlp.gate_proj", "mlp.down_proj")
LAST = ("ln_f", "norm", "final_layer_norm")
PROMPT = [7, 3, 29, 45, 11, 60, 2, 18, 33]
MARGIN = 2e-3          # least distance of the best logit from the second: no implementation in f32 may choose another


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def sites(name):
    model, found = load(os.path.join(FAMILIES, name)), {}

    def watch(path):
        def hook(_, args, kwargs, made):
            given = args[0] if args else kwargs["hidden_states"]
            found[f"{name}/{path}.input"] = given[0].clone()
            found[f"{name}/{path}.output"] = (made[0] if isinstance(made, tuple) else made)[0].clone()
        return hook

    for path, module in model.named_modules():
        before, _, after = path.partition(".1.")
        if path.endswith(".1") and path.count(".") == 2 or (after in ENDS and before.count(".") == 1) or (path.count(".") == 1 and path.split(".")[1] in LAST):
            module.register_forward_hook(watch(path), with_kwargs=True)
    with torch.no_grad():
        model(torch.tensor([PROMPT]))
    return {path: tensor.contiguous() for path, tensor in found.items()}


def greedy(folder, prompt, count, penalty=1.0):
    model = load(folder)
    model.generation_config.eos_token_id = model.generation_config.pad_token_id = None
    made = model.generate(torch.tensor([prompt]), max_new_tokens=count, do_sample=False, repetition_penalty=penalty, return_dict_in_generate=True, output_scores=True)
    best = torch.cat(made.scores).topk(2).values
    margin = (best[:, 0] - best[:, 1]).min().item()
    return made.sequences[0, len(prompt):].tolist(), margin


def generations():
    out = []
    for name in [*SITES, "llama-dynamic", "llama-yarn", "mistral-window", "qwen2-window"]:
        for penalty in (1.0, 1.3):
            for seed in range(50):
                prompt = torch.randint(0, 61, (9,), generator=torch.Generator().manual_seed(seed)).tolist()
                ids, margin = greedy(os.path.join(FAMILIES, name), prompt, 16, penalty)
                if margin > MARGIN:
                    break
            else:
                raise RuntimeError(f"{name}: no prompt without a near tie")
            out.append({"model": f"test/golden/families/{name}", "prompt": prompt, "penalty": penalty, "ids": ids})
    with open(os.path.join(CODELM, "reference.json")) as file:
        for known in json.load(file)["prompts"]:
            ids, margin = greedy(CODELM, known["ids"], 24)
            if margin > MARGIN:
                out.append({"model": "examples/codelm", "prompt": known["ids"], "penalty": 1.0, "ids": ids})
    return out


def warped():
    out = []
    for seed in range(4):
        logits = torch.randn(1, 40, generator=torch.Generator().manual_seed(seed)) * (1 + seed)
        for options in [{"topK": 5}, {"topP": 0.7}, {"topP": 0.95, "temperature": 0.6}, {"minP": 0.1}, {"topK": 12, "topP": 0.8, "minP": 0.05, "temperature": 1.7}, {"topP": 0.01}, {"topK": 40}]:
            scores = logits / options.get("temperature", 1.0)
            if "topK" in options:
                scores = warpers.TopKLogitsWarper(options["topK"])(None, scores)
            if "topP" in options:
                scores = warpers.TopPLogitsWarper(options["topP"])(None, scores)
            if "minP" in options:
                scores = warpers.MinPLogitsWarper(options["minP"])(None, scores)
            shares = scores.softmax(-1)[0]
            kept = shares.nonzero()[:, 0].tolist()
            out.append({"logits": logits[0].tolist(), "options": options, "kept": kept, "shares": shares[kept].tolist()})
    return out


if __name__ == "__main__":
    save_file({path: tensor for name in SITES for path, tensor in sites(name).items()}, os.path.join(HERE, "sites.safetensors"))
    for name, made in (("generate", generations()), ("warpers", warped())):
        with open(os.path.join(HERE, f"{name}.json"), "w") as file:
            json.dump(made, file)
