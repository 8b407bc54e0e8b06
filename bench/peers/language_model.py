"""transformers on PyTorch: the same folder, prefilled with random ids, and decoded token by token with its key-value cache."""
import torch

DTYPES = {'f32': torch.float32, 'bf16': torch.bfloat16}
OPENED = {}


def opened(folder, dtype):
    """The model, one at a time in memory."""
    if (folder, dtype) not in OPENED:
        from transformers import AutoModelForCausalLM
        OPENED.clear()
        OPENED[folder, dtype] = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype]).eval()
    return OPENED[folder, dtype]


def ids_of(model, count):
    return torch.arange(count)[None] * 7919 % model.config.vocab_size


def prefill(spec):
    """The logits of all positions of one sequence, as transformers gives them."""
    model = opened(spec['folder'], spec['dtype'])
    ids = ids_of(model, spec['tokens'])

    def call():
        with torch.inference_mode():
            model(ids, use_cache=False)
    return f"transformers {spec['dtype']}", call


def decode(spec):
    """`steps` tokens after a context that lies in the cache; the cache is cut back after each call."""
    model, tokens, steps = opened(spec['folder'], spec['dtype']), spec['tokens'], spec['steps']
    ids = ids_of(model, tokens + steps)
    with torch.inference_mode():
        cache = model(ids[:, :tokens], use_cache=True, logits_to_keep=1).past_key_values

    def call():
        with torch.inference_mode():
            for t in range(tokens, tokens + steps):
                model(ids[:, t:t + 1], past_key_values=cache, use_cache=True)
            cache.crop(tokens)
    return f"transformers {spec['dtype']}, {steps} tokens", call


JOBS = {'model prefill': prefill, 'model decode': decode}
