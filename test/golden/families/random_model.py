# Random models whose every weight matters, and what transformers makes of them. Weights spread by 0.3 in place of 0.02: an error
# in one place of a layer then shows in the logits.
import json
import os

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

SPREAD = 0.3
OLD_CONFIG = {
    # A config.json as versions before transformers 5 wrote it.
    "rope": lambda c: c.update(rope_theta=c["rope_parameters"].pop("rope_theta"), rope_scaling=rope_scaling(c.pop("rope_parameters"), "type")),
    "neox": lambda c: c.update(
        rotary_emb_base=c["rope_parameters"].pop("rope_theta"), rotary_pct=c["rope_parameters"].pop("partial_rotary_factor"),
        rope_scaling=rope_scaling(c.pop("rope_parameters"), "type")),
    "gemma3": lambda c: old_gemma3(c.get("text_config", c)),
}


def rope_scaling(parameters, name):
    kind = parameters.pop("rope_type")
    return None if kind == "default" else {**parameters, name: kind}


def old_gemma3(c):
    full, sliding = c["rope_parameters"]["full_attention"], c.pop("rope_parameters")["sliding_attention"]
    c.update(rope_theta=full.pop("rope_theta"), rope_local_base_freq=sliding["rope_theta"], rope_scaling=rope_scaling(full, "rope_type"))
    period = next((i + 1 for i, kind in enumerate(c.pop("layer_types")) if kind == "full_attention"), 6)
    c.update(sliding_window_pattern=period)


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * SPREAD
        is_gain = parameter.ndim == 1 and name.endswith("weight")
        zero_means_one = "Gemma" in type(model).__name__
        parameter.data = noise + (1.0 if is_gain and not zero_means_one else 0.0)


def write_model(folder, config, seed, dtype="float32", old=None, change=None, shard=None):
    """Saves a random model as save_pretrained does; `old` and `change` rewrite its config.json afterwards."""
    os.makedirs(folder, exist_ok=True)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    randomise(model, seed)
    model.to(getattr(torch, dtype)).save_pretrained(folder, **({"max_shard_size": shard} if shard else {}))
    path = os.path.join(folder, "config.json")
    with open(path) as file:
        fields = json.load(file)
    if old:
        OLD_CONFIG[old](fields)
    for key, value in (change or {}).items():
        if value == "absent":
            fields.pop(key, None)
        else:
            fields[key] = value
    with open(path, "w") as file:
        json.dump(fields, file, indent=1)
    generation = os.path.join(folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)


def reference(folder, prompts, dtype=torch.float32):
    """logits, inputs and outputs of every MLP of a model that is read afresh for each prompt: "dynamic" rope keeps a state."""
    tensors = {}
    for number, ids in enumerate(prompts):
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=dtype).eval()
        inputs, outputs = [], []
        for name, module in model.named_modules():
            if name.endswith(".mlp") and "vision" not in name:
                module.register_forward_hook(lambda _, given, made: (inputs.append(given[0][0]), outputs.append(made[0])) and None)
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        tensors |= {f"logits.{number}": logits, f"mlp_input.{number}": torch.stack(inputs), f"mlp_output.{number}": torch.stack(outputs)}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def noise(tensors, exact):
    """What f32 itself is off by: the largest difference from f64, and the largest in parts of the largest element of its row."""
    pairs = [(tensor.double() - exact[name], exact[name]) for name, tensor in tensors.items()]
    return max(d.abs().max().item() for d, _ in pairs), max((d.abs().amax(-1) / x.abs().amax(-1)).max().item() for d, x in pairs)


def write_reference(folder, prompts, tensors):
    save_file(tensors, os.path.join(folder, "reference.safetensors"), metadata={"prompts": json.dumps(prompts)})


def ids(count, vocabulary, seed):
    return torch.randint(0, vocabulary, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def config_of(model_type, **fields):
    return AutoConfig.for_model(model_type, **fields)
