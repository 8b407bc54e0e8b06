"""PyTorch's counterpart of single ops, into memory that exists already. Each function takes a shape and gives (name, call)."""
import torch
from torch.nn import functional


def codes(s):
    """K features a row, spread over all F, and their values."""
    stride = s['F'] // s['K']
    index = (torch.arange(s['K']) * stride)[None] + torch.randint(stride, (s['N'], 1))
    return index, torch.randn(s['N'], s['K'])


def sparse_decode(s):
    index, z = codes(s)
    weight = torch.randn(s['F'], s['D'])
    return 'PyTorch embedding_bag', lambda: functional.embedding_bag(index, weight, per_sample_weights=z, mode='sum')


def sparse_sample(s):
    index, _ = codes(s)
    weight, g, rows, out = torch.randn(s['F'], s['D']), torch.randn(s['N'], s['D'], 1), torch.empty(s['N'], s['K'], s['D']), torch.empty(s['N'], s['K'], 1)

    def call():
        torch.index_select(weight, 0, index.view(-1), out=rows.view(-1, s['D']))
        torch.bmm(rows, g, out=out)
    return 'PyTorch index_select + bmm', call


def feature_major(s):
    flat = codes(s)[0].view(-1)
    values, order = torch.empty_like(flat), torch.empty_like(flat)
    return 'PyTorch stable sort', lambda: torch.sort(flat, stable=True, out=(values, order))


def sparse_scatter(s):
    index, z = codes(s)
    dense, rows, gradient = torch.randn(s['N'], 1, s['D']), torch.empty(s['N'], s['K'], s['D']), torch.empty(s['F'], s['D'])

    def call():
        torch.mul(z.unsqueeze(2), dense, out=rows)
        gradient.zero_().index_add_(0, index.view(-1), rows.view(-1, s['D']))
    return 'PyTorch index_add', call


def adam(shape):
    weight = torch.randn(shape)
    weight.grad = torch.randn(shape)
    return weight.grad, torch.optim.Adam([weight], lr=2e-4, fused=True)


def sparse_scatter_adam(s):
    index, z = codes(s)
    dense, rows = torch.randn(s['N'], 1, s['D']), torch.empty(s['N'], s['K'], s['D'])
    gradient, optimiser = adam((s['F'], s['D']))

    def call():
        torch.mul(z.unsqueeze(2), dense, out=rows)
        gradient.zero_().index_add_(0, index.view(-1), rows.view(-1, s['D']))
        optimiser.step()
    return 'PyTorch index_add + fused Adam', call


def adam_step(s):
    _, optimiser = adam((s['R'], s['C']))
    return 'PyTorch fused Adam', optimiser.step


def recon_loss(s):
    y, y_hat, e, square, dy = (torch.randn(s['N'], s['D']) for _ in range(5))

    def call():
        torch.sub(y_hat, y, out=e)
        torch.sub(y, y.mean(0), out=square)
        torch.mul(e, 2 / square.square_().sum(), out=dy)
        return torch.mul(e, e, out=square).sum()
    return 'PyTorch, op by op', call


def unit_rows(s):
    weight, norms = torch.randn(s['R'], s['C']), torch.empty(s['R'])
    return 'PyTorch vector_norm', lambda: torch.linalg.vector_norm(weight, dim=1, out=norms)


def fill_random(s):
    out = torch.empty(s['R'], s['C'])
    return 'PyTorch uniform_ (another generator)', lambda: out.uniform_(-1, 1)


def fill(s):
    out = torch.empty(s['R'], s['C'])
    return 'PyTorch fill_', lambda: out.fill_(1)


def gather_rows(s):
    source, index, out = torch.randn(s['R'], s['C']), torch.arange(s['M']) * 40503 % s['R'], torch.empty(s['M'], s['C'])
    return 'PyTorch index_select', lambda: torch.index_select(source, 0, index, out=out)


def cast(s):
    source, out = torch.randn(s['R'], s['C']), torch.empty(s['R'], s['C'], dtype=torch.bfloat16)
    return 'PyTorch copy_', lambda: out.copy_(source)


def copy(s):
    source, out = torch.randn(s['R'], s['C']), torch.empty(s['R'], s['C'])
    return 'PyTorch copy_', lambda: out.copy_(source)


def axpy(s):
    x, y, out = (torch.randn(s['N'], s['D']) for _ in range(3))
    return 'PyTorch sub', lambda: torch.sub(x, y, out=out)


def reduce_rows(s):
    x, out = torch.randn(s['N'], s['D']), torch.empty(s['D'])
    return 'PyTorch sum', lambda: torch.sum(x, 0, out=out)


def embed_rows(s):
    width, rows = s['H'] * s['width'], s['T'] * s['B']
    table, positions, ids, out = torch.randn(s['V'], width), torch.randn(s['T'], width), torch.arange(rows) * 40503 % s['V'], torch.empty(rows, width)

    def call():
        torch.index_select(table, 0, ids, out=out)
        out.view(s['B'], s['T'], width).add_(positions)
    return 'PyTorch index_select + add', call


def norm(s):
    width = s['H'] * s['width']
    x, gain, bias = torch.randn(s['T'] * s['B'], width), torch.randn(width), torch.randn(width)
    return 'PyTorch layer_norm', lambda: functional.layer_norm(x, (width,), gain, bias)


def rms_norm(s):
    x, gain = torch.randn(s['N'], s['D']), torch.randn(s['D'])
    return 'PyTorch rms_norm', lambda: functional.rms_norm(x, (s['D'],), gain, 1e-5)


def rms_norm_heads(s):
    x, gain = torch.randn(s['N'], s['HEADS'], s['WIDTH']), torch.randn(s['WIDTH'])
    return 'PyTorch rms_norm', lambda: functional.rms_norm(x, (s['WIDTH'],), gain, 1e-5)


def rope(s):
    half = s['WIDTH'] // 2
    x, cosine, sine = torch.randn(s['N'], s['HEADS'], s['WIDTH']), torch.randn(s['N'], 1, s['WIDTH']), torch.randn(s['N'], 1, s['WIDTH'])
    return 'PyTorch, op by op', lambda: x * cosine + torch.cat((-x[..., half:], x[..., :half]), -1) * sine


def gate(s):
    both = torch.randn(s['N'], 2 * s['HIDDEN'])
    a, b = both.split(s['HIDDEN'], 1)
    return 'PyTorch silu + mul', lambda: functional.silu(a).mul_(b)


def scatter_rows(s):
    source, index, out = torch.randn(s['N'], s['C']), torch.arange(s['N']), torch.randn(s['R'], s['C'])
    return 'PyTorch index_copy', lambda: out.index_copy_(0, index, source)


def attend(s):
    qkv = torch.randn(s['B'], s['T'], 3, s['H'], s['width']).permute(2, 0, 3, 1, 4)
    return 'PyTorch attention', lambda: functional.scaled_dot_product_attention(*qkv, is_causal=True)


def token_loss(s):
    rows = s['T'] * s['B']
    logits, targets = torch.randn(rows, s['V']), torch.arange(rows) % s['V']
    return 'PyTorch cross_entropy', lambda: functional.cross_entropy(logits, targets, reduction='none')


JOBS = {f.__name__: f for f in (
    sparse_decode, sparse_sample, feature_major, sparse_scatter, sparse_scatter_adam, adam_step, recon_loss, unit_rows, fill_random,
    fill, gather_rows, cast, copy, axpy, reduce_rows, embed_rows, norm,
    rms_norm, rms_norm_heads, rope, gate, scatter_rows, attend, token_loss)}
