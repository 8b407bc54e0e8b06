"""PyTorch for the bench: reads one JSON question a line, answers one line, and measures itself.

  {"hello": true}                              -> {"version": ...}
  {"make": id, "job": name, "spec": {...}}     -> {"name": what it is}, warmed up; or {"error": words}
  {"run": id}                                  -> {"milliseconds": of one call}
  {"drop": true}                               -> {}, and all jobs are freed

A job is a function of its spec that gives (name, call); a call does the work once, into memory that exists already.
"""
import gc
import json
import math
import sys
import time

import torch

import attention
import dense_step
import language_model
import model_step
import ops
import product
import sparse_step

JOBS = {**product.JOBS, **ops.JOBS, **attention.JOBS, **dense_step.JOBS, **sparse_step.JOBS, **model_step.JOBS, **language_model.JOBS}
SHORT = 8e-3  # seconds: a call is repeated until they take as long


def timed(call, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def make(job, spec):
    name, call = JOBS[job](spec)
    timed(call, 1)
    return name, call, max(1, min(2000, math.ceil(SHORT / timed(call, 3))))


def main():
    torch.set_num_threads(int(sys.argv[1]))
    made = {}
    for line in sys.stdin:
        question, answer = json.loads(line), {}
        if 'hello' in question:
            answer = {'version': torch.__version__}
        elif 'make' in question:
            try:
                *_, name = made[question['make']] = make(question['job'], question['spec'])[::-1]
                answer = {'name': name}
            except (RuntimeError, NotImplementedError, KeyError) as error:
                answer = {'error': str(error).splitlines()[0]}
        elif 'run' in question:
            repeats, call, _ = made[question['run']]
            answer = {'milliseconds': timed(call, repeats) * 1e3}
        else:
            made.clear()
            language_model.OPENED.clear()
            gc.collect()
        print(json.dumps(answer), flush=True)


main()
