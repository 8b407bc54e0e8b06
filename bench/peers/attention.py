"""PyTorch's attention: fused for a prompt and for a cache; the pattern, and the pattern times a batch, as einsum has them."""
import torch
from torch.nn import functional


def attention(s):
    H, G, W, Q, T = (s[name] for name in 'HGWQT')
    whole = torch.randn(1, Q, H + 2 * G, W).transpose(1, 2)
    q, k, v = whole.split((H, G, G), 1)
    if Q < T:
        k, v = torch.randn(1, G, T, W), torch.randn(1, G, T, W)
    options = {'is_causal': Q == T, 'enable_gqa': H != G}
    return 'PyTorch attention', lambda: functional.scaled_dot_product_attention(q, k, v, **options)


def attention_pattern(s):
    H, G, W, T = (s[name] for name in 'HGWT')
    q, k = torch.randn(H, T, W), torch.randn(G, T, W).repeat_interleave(H // G, 0)
    mask, out = torch.full((T, T), float('-inf')).triu(1), torch.empty(H, T, T)
    return 'PyTorch softmax', lambda: torch.softmax(torch.baddbmm(mask, q, k.transpose(1, 2), alpha=W ** -0.5, out=out), -1)


def attention_map(s):
    H, G, W, T, B = (s[name] for name in 'HGWTB')
    pattern, x = torch.randn(H, T, T).tril(), torch.randn(B, T, G, W)
    return 'PyTorch einsum', lambda: torch.einsum('hij,bjhw->bihw', pattern, x.repeat_interleave(H // G, 2))


def attention_transposed(s):
    H, G, W, T, B = (s[name] for name in 'HGWTB')
    pattern, x = torch.randn(H, T, T).tril(), torch.randn(B, T, H, W)
    return 'PyTorch einsum', lambda: torch.einsum('hij,bihw->bjhw', pattern, x).view(B, T, G, H // G, W).sum(3)


JOBS = {f.__name__: f for f in (attention, attention_pattern, attention_map, attention_transposed)}
