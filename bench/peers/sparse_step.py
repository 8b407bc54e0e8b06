"""A step of a TopK transcoder with sparsify's structure, in our own words and in two variants.

`autograd`: an encoder whose backward adds rows by index into a zeroed gradient, an embedding bag as decoder, fused Adam.
`by_hand`: the same sums without autograd, with every large array preallocated and the rows added in place.
"""
import torch
from torch.nn import functional


class Encode(torch.autograd.Function):
    """relu and TopK of a product; the gradient touches the rows of the codes alone."""

    @staticmethod
    def forward(ctx, x, weight, bias, k):
        values, index = torch.addmm(bias, x, weight.T).relu_().topk(k, dim=-1, sorted=False)
        ctx.save_for_backward(x, index)
        ctx.features = len(weight)
        ctx.mark_non_differentiable(index)
        return values, index

    @staticmethod
    def backward(ctx, d_values, _):
        x, index = ctx.saved_tensors
        rows = (d_values.unsqueeze(2) * x.unsqueeze(1)).view(-1, x.shape[1])
        d_weight = x.new_zeros(ctx.features, x.shape[1]).index_add_(0, index.view(-1), rows)
        d_bias = x.new_zeros(ctx.features).index_add_(0, index.view(-1), d_values.view(-1))
        return None, d_weight, d_bias, None


def start(spec):
    N, D, F = spec['N'], spec['D'], spec['F']
    w_skip = [torch.zeros(D, D)] if spec.get('skip') else []
    return torch.randn(N, D), torch.randn(N, D), [torch.empty(F, D).uniform_(-D ** -.5, D ** -.5), torch.zeros(F), torch.zeros(F, D), torch.zeros(D)] + w_skip


def autograd(spec):
    x, y, parameters = start(spec)
    w_enc, b_enc, w_dec, b_dec, *w_skip = [p.requires_grad_() for p in parameters]
    adam = torch.optim.Adam(parameters, lr=2e-4, fused=True)

    def call():
        values, index = Encode.apply(x, w_enc, b_enc, spec['K'])
        y_hat = functional.embedding_bag(index, w_dec, per_sample_weights=values, mode='sum') + b_dec
        if w_skip:
            y_hat = y_hat + x @ w_skip[0].T
        loss = (y_hat - y).square().sum() / (y - y.mean(0)).square().sum()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    return 'sparsify step (autograd)', call


def by_hand(spec):
    x, y, parameters = start(spec)
    w_enc, b_enc, w_dec, b_dec, *w_skip = parameters
    N, D, F, K = spec['N'], spec['D'], spec['F'], spec['K']
    p, values, index = torch.empty(N, F), torch.empty(N, K), torch.empty(N, K, dtype=torch.int64)
    rows, ones = torch.empty(N, K, D), torch.ones(N)
    for one in parameters:
        one.grad = torch.zeros_like(one)
    adam = torch.optim.Adam(parameters, lr=2e-4, fused=True)

    @torch.no_grad()
    def call():
        for one in parameters[:3]:
            one.grad.zero_()
        torch.addmm(b_enc, x, w_enc.T, out=p)
        p.relu_()
        torch.topk(p, K, sorted=False, out=(values, index))
        flat = index.view(-1)
        y_hat = functional.embedding_bag(index, w_dec, per_sample_weights=values, mode='sum').add_(b_dec)
        if w_skip:
            y_hat.addmm_(x, w_skip[0].T)
        variance = (y - y.mean(0)).square_().sum()
        g = y_hat.sub_(y).mul_(2 / variance)
        torch.index_select(w_dec, 0, flat, out=rows.view(-1, D))
        s = torch.bmm(rows, g.unsqueeze(2)).squeeze(2).mul_(values > 0)
        torch.mul(values.unsqueeze(2), g.unsqueeze(1), out=rows)
        w_dec.grad.index_add_(0, flat, rows.view(-1, D))
        torch.mul(s.unsqueeze(2), x.unsqueeze(1), out=rows)
        w_enc.grad.index_add_(0, flat, rows.view(-1, D))
        b_enc.grad.index_add_(0, flat, s.view(-1))
        torch.mv(g.T, ones, out=b_dec.grad)
        if w_skip:
            torch.mm(g.T, x, out=w_skip[0].grad)
        adam.step()
    return 'sparsify step (by hand)', call


JOBS = {'sparsify_autograd': autograd, 'sparsify_by_hand': by_hand}
