"""The demo's recipe in plain PyTorch: a GPT-2 forward pass with taps at every MLP, then a dense autograd step of each layer's
skip transcoder, one fused Adam for all. Token ids are drawn at random: what they are costs nothing."""
import json
import struct

import torch
from torch.nn import functional

DTYPES = {'F32': torch.float32, 'F16': torch.float16, 'BF16': torch.bfloat16}


def read_safetensors(path):
    with open(path, 'rb') as file:
        data = bytearray(file.read())
    start = 8 + struct.unpack('<Q', data[:8])[0]
    weights = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != '__metadata__':
            first, last = entry['data_offsets']
            flat = torch.frombuffer(data[start + first:start + last], dtype=DTYPES[entry['dtype']])
            weights[name] = flat.view(entry['shape']).float()
    return weights


def demo_step(spec):
    weights = read_safetensors(spec['model'])
    table, positions = weights['transformer.wte.weight'], weights['transformer.wpe.weight']
    D, N, F, K, T, heads = table.shape[1], spec['N'], spec['F'], spec['K'], spec['context'], spec['heads']
    layers = 1 + max(int(name.split('.')[2]) for name in weights if name.startswith('transformer.h.'))
    ids = torch.randint(len(table), (N // T, T))

    def linear(x, name):
        return torch.addmm(weights[name + '.bias'], x.view(-1, x.shape[-1]), weights[name + '.weight']).view(*x.shape[:-1], -1)

    def norm(x, name):
        return functional.layer_norm(x, (D,), weights[name + '.weight'], weights[name + '.bias'])

    @torch.no_grad()
    def taps():
        x, found = table[ids] + positions[:T], []
        for layer in range(layers):
            at = f'transformer.h.{layer}.'
            qkv = linear(norm(x, at + 'ln_1'), at + 'attn.c_attn').view(N // T, T, 3, heads, D // heads).permute(2, 0, 3, 1, 4)
            mixed = functional.scaled_dot_product_attention(*qkv, is_causal=True).transpose(1, 2).reshape(N // T, T, D)
            x = x + linear(mixed, at + 'attn.c_proj')
            inside = norm(x, at + 'ln_2')
            out = linear(functional.gelu(linear(inside, at + 'mlp.c_fc'), approximate='tanh'), at + 'mlp.c_proj')
            found.append((inside.view(N, D), out.view(N, D)))
            x = x + out
        return found

    coders = [(torch.empty(F, D).uniform_(-D ** -.5, D ** -.5), torch.zeros(F), torch.zeros(F, D), torch.zeros(D), torch.zeros(D, D)) for _ in range(layers)]
    parameters = [p.requires_grad_() for coder in coders for p in coder]
    adam = torch.optim.Adam(parameters, lr=spec['rate'], fused=True)

    def call():
        loss = 0
        for (x, y), (w_enc, b_enc, w_dec, b_dec, w_skip) in zip(taps(), coders):
            values, index = torch.addmm(b_enc, x, w_enc.T).topk(K, -1, sorted=False)
            z = torch.zeros(N, F).scatter(-1, index, values.relu())
            y_hat = z @ w_dec + b_dec + x @ w_skip.T
            loss = loss + (y_hat - y).square().sum() / (y - y.mean(0)).square().sum()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    return 'PyTorch recipe', call


JOBS = {'demo_step': demo_step}
