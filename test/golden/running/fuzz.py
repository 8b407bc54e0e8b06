# Random models of every family, as ../families/fuzz.py makes them: the ids that `transweld generate` takes greedily, step by step through its
# cache, against those of `generate` of transformers. Not run by the tests.
#   python fuzz.py [models a family, default 10] [number of the first, default 0] [family ...]
# Where the best two logits of transformers lie within 1e-3 the comparison ends. transformers is asked without its own cache where a sliding
# window is 1: of such a layer its cache keeps everything (5.18), and its tokens are not those of its own whole pass.
import json
import os
import random
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "families"))
from fuzz import FAMILIES, context_of, old_of  # noqa: E402
from random_model import config_of, ids, write_model  # noqa: E402

COMMAND = ["node", os.path.join(HERE, "..", "..", "..", "dist", "lib", "cli", "main.js")]
TIE = 1e-3


def one(model_type, number, folder):
    r = random.Random(f"generate {model_type} {number}")
    fields = FAMILIES[model_type](r)
    write_model(folder, config_of(model_type, **json.loads(json.dumps(fields))), number, old=old_of(r, model_type))
    text = fields.get("text_config", fields)
    context = context_of(text)
    prompt = ids(min(r.choice([1, 2, 9, 13]), context - 1), text["vocab_size"], number)
    count = min(24, context - len(prompt))
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    made = model.generate(
        torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), max_new_tokens=count, do_sample=False,
        use_cache=text.get("sliding_window") != 1, return_dict_in_generate=True, output_scores=True)
    expected = made.sequences[0, len(prompt):].tolist()
    best = torch.cat(made.scores).topk(2).values
    sure = next((i for i, (a, b) in enumerate(best.tolist()) if a - b < TIE), len(expected))
    ran = subprocess.run([*COMMAND, "generate", "--model", folder, "--ids", ",".join(map(str, prompt)), "--max-tokens", str(count), "--json"], capture_output=True, text=True)
    if ran.returncode != 0:
        return ran.stderr.strip()[:400], fields
    got = json.loads(ran.stdout.splitlines()[-1])["ids"]
    is_same = got[:sure] == expected[:sure] and (sure < len(expected) or len(got) == len(expected))
    return (None if is_same else f"{got} and not {expected}"), fields


def main():
    count, first = [int(given) if given else usual for given, usual in zip((sys.argv[1:3] + ["", ""])[:2], (10, 0))]
    for model_type in sys.argv[3:] or FAMILIES:
        failed = 0
        for number in range(first, first + count):
            with tempfile.TemporaryDirectory() as folder:
                wrong, fields = one(model_type, number, folder)
            if wrong is not None:
                failed += 1
                print(f"FAIL {model_type} {number}: {wrong}\n  {json.dumps(fields)}", flush=True)
        print(f"{model_type}: {count} models, {failed} failed", flush=True)


if __name__ == "__main__":
    main()
