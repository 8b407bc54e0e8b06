"""PyTorch's product x @ W.T into an output that exists already, in several dtypes."""
import torch

DTYPES = {'f32': torch.float32, 'bf16': torch.bfloat16, 'f16': torch.float16}


def product(spec):
    M, K, N, dtype = spec['M'], spec['K'], spec['N'], spec['dtype']
    if dtype == 'int8':  # i8 x i8 -> i32: the measure of the chip's int8 rate
        a, b = (torch.randint(-127, 128, shape, dtype=torch.int8) for shape in ((M, K), (N, K)))
        out = torch.empty(M, N, dtype=torch.int32)
        return 'PyTorch _int_mm', lambda: torch._int_mm(a, b.T, out=out)
    if spec.get('contract') == 'rows':
        a, b = torch.randn(K, M), torch.randn(K, N)
        out = torch.empty(M, N)
        return 'PyTorch a.T @ b', lambda: torch.mm(a.T, b, out=out)
    a, b = (torch.randn(shape).to(DTYPES[dtype]) for shape in ((M, K), (N, K)))
    out = torch.empty(M, N, dtype=DTYPES[dtype])
    return f'PyTorch product {dtype}', lambda: torch.mm(a, b.T, out=out)


def encode(spec):
    """The product with bias, then torch.topk: what an encoder is in plain PyTorch, everything preallocated."""
    N, D, F, K = spec['N'], spec['D'], spec['F'], spec['K']
    x, weight, bias = torch.randn(N, D), torch.randn(F, D), torch.zeros(F)
    p, values, index = torch.empty(N, F), torch.empty(N, K), torch.empty(N, K, dtype=torch.int64)

    def call():
        torch.addmm(bias, x, weight.T, out=p)
        torch.topk(p, K, sorted=False, out=(values, index))
    return 'PyTorch addmm + topk', call


JOBS = {'product': product, 'encode': encode}
