"""What the vendor's own libraries do on this GPU at the shapes of `transweld_native --bench`, through PyTorch: products by dtype, and a
training step of sparsify's structure (bench/peers/sparse_step.py). The fastest product is what `--rate` wants.

    python3 bench/gpu/vendor.py [PART_OF_A_SHAPE'S_NAME]
"""
import sys
import time
from pathlib import Path

try:
    import torch
except ImportError:
    sys.exit('expected PyTorch but this Python has none')
if not torch.cuda.is_available():
    sys.exit('expected a GPU but PyTorch sees none')
sys.path.insert(0, str(Path(__file__).parents[1] / 'peers'))
import product  # noqa: E402
import sparse_step  # noqa: E402

SHAPES = {
    'gpt2': {'N': 8192, 'D': 768, 'F': 24576, 'K': 32},
    'wide': {'N': 16384, 'D': 2304, 'F': 65536, 'K': 64},
    'deep': {'N': 4096, 'D': 4096, 'F': 131072, 'K': 64},
}
ROUNDS = 15
BATCH = 8  # ms: calls are enqueued until they take so long, so that waiting does not count


def once(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3 / repeats


def least(call):
    """Milliseconds a call: the least of all rounds after a warm-up."""
    once(call, 1)
    repeats = max(1, min(500, int(BATCH / once(call, 2)) + 1))
    return min(once(call, repeats) for _ in range(ROUNDS))


def show(name, make):
    """Times what `make` gives; what does not fit the memory or the chip is said in words. Operations a millisecond, where told."""
    try:
        what, call, operations = make()
        milliseconds = least(call)
    except (RuntimeError, NotImplementedError) as error:
        print(f'  {name:32} none: {str(error).splitlines()[0]}')
        return 0
    finally:
        torch.cuda.empty_cache()
    rate = operations / milliseconds
    print(f'  {what:32} {milliseconds:11.4f} ms  {rate / 1e9:9.2f} TFLOP/s')
    return rate


def step(job, shape, precision, operations):
    what, call = job(shape)
    return f'{what}, {"tf32" if precision == "high" else "f32"}', call, operations


def main():
    torch.set_default_device('cuda')
    print(f'{torch.cuda.get_device_name()}, PyTorch {torch.__version__}')
    fastest = 0
    for name, s in SHAPES.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        print(f'\n{name}: N {s["N"]}, D {s["D"]}, F {s["F"]}, K {s["K"]}')
        operations = 2 * s['N'] * s['D'] * s['F']
        for dtype, precision in (('f32', 'highest'), ('f32', 'high'), ('bf16', 'highest'), ('f16', 'highest'), ('int8', 'highest')):
            torch.set_float32_matmul_precision(precision)
            title = 'PyTorch product tf32' if precision == 'high' else None

            def make():
                what, call = product.product({'M': s['N'], 'K': s['D'], 'N': s['F'], 'dtype': dtype})
                return title or what, call, operations
            fastest = max(fastest, show(title or dtype, make))
        for precision in ('highest', 'high'):
            torch.set_float32_matmul_precision(precision)
            for job in (sparse_step.autograd, sparse_step.by_hand):
                show(job.__name__, lambda job=job, precision=precision: step(job, s, precision, operations))
    print(f'\nfastest product: --rate {fastest / 1e9:.1f}')


main()
