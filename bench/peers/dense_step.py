"""A training step of a TopK transcoder as one writes it in plain PyTorch: dense codes, autograd, Adam."""
import torch


def dense_step(spec):
    N, D, F, K, skip = spec['N'], spec['D'], spec['F'], spec['K'], spec.get('skip', False)
    x, y = torch.randn(N, D), torch.randn(N, D)
    w_enc, w_dec = torch.empty(F, D).uniform_(-D ** -.5, D ** -.5), torch.zeros(F, D)
    b_enc, b_dec, w_skip = torch.zeros(F), torch.zeros(D), torch.zeros(D, D)
    parameters = [p.requires_grad_() for p in ([w_enc, w_dec, b_enc, b_dec] + ([w_skip] if skip else []))]
    adam = torch.optim.Adam(parameters, lr=2e-4, fused=True)

    def call():
        p = torch.nn.functional.linear(x, w_enc, b_enc)
        values, index = p.topk(K, dim=-1, sorted=False)
        z = torch.zeros_like(p).scatter(-1, index, values.relu())
        y_hat = z @ w_dec + b_dec
        if skip:
            y_hat = y_hat + x @ w_skip.T
        loss = (y_hat - y).square().sum() / (y - y.mean(0)).square().sum()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    return 'PyTorch dense step', call


JOBS = {'dense_step': dense_step}
