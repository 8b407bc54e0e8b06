"""Writes small tokenizers in the shapes that language models ship, and what Python's `tokenizers` makes of hard texts with them.

    python test/golden/tokenizers/make.py        (tokenizers 0.23, transformers 5.18)

For each tokenizer a folder with tokenizer.json, the files beside it, and expected.json.gz:
  special  ids of texts.json with the tokens of the post-processor     plain  ids without them
  back     text of `special`, kept where it is not the text itself     skip   the same without special tokens
  decode   lists of ids, their text, and their text without special tokens: single ids, then random runs (invalid UTF-8 among them)
Training is deterministic; the corpus is below.
"""
import collections
import gzip
import json
import math
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from charsmap import charsmap
from texts import CORPUS, texts

HERE = pathlib.Path(__file__).parent
BYTES = pre_tokenizers.ByteLevel.alphabet()
HEXES = [f"<0x{byte:02X}>" for byte in range(256)]
TEXTS = texts()

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
POSSESSIVE = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"


def special(content, **flags):
    return AddedToken(content, special=True, **{"normalized": False, **flags})


def plain(content, **flags):
    return AddedToken(content, special=False, **{"normalized": True, **flags})


def template(single, **ids):
    return processors.TemplateProcessing(single=single, pair=f"{single} $B:1", special_tokens=[(name, id) for name, id in ids.items()] or None)


def byte_level(name, split=None, normalizer=None, prefix=False, steps=None, added=(), post=None, ignore_merges=False, config=None, files=None, merges=160):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if split is not None:
        steps = [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if steps else pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=256 + merges, initial_alphabet=BYTES, show_progress=False))
    if ignore_merges:  # whole words that no merge reaches, as vocabularies hold that were made by another program
        made = json.loads(tokenizer.to_str())
        for word in ("Ġwhole", "unreachable", "ĠÃ©t"):
            made["model"]["vocab"][word] = len(made["model"]["vocab"])
        tokenizer = Tokenizer.from_str(json.dumps(made))
    finish(name, tokenizer, added, post or (lambda id: processors.ByteLevel(trim_offsets=False)), config, files)


def pieces(name, normalizer=None, pre=None, decoder=None, added=(), post=None, config=None, files=None, unk="<unk>", byte_fallback=True, first=("<unk>", "<s>", "</s>"), fuse_unk=True, drop=()):
    """BPE over characters, as converted from SentencePiece: special tokens first, then the bytes, then the pieces."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split(Regex("▁*[^▁]+"), "isolated")
    counts = collections.Counter("".join(CORPUS))  # not by limit_alphabet, whose choice among equals changes from run to run
    rare = sorted(counts, key=lambda character: (-counts[character], character))[80:]
    corpus = [text.translate({ord(character): " " for character in rare}) for text in CORPUS]
    trained.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    vocab = {}
    for piece in [*first, *(HEXES if byte_fallback else []), *(key for key, _ in sorted(model["vocab"].items(), key=lambda item: item[1])), "▁", "▁▁"]:
        if piece not in drop:
            vocab.setdefault(piece, len(vocab))
    merges = [tuple(pair) for pair in model["merges"]] + [("▁", "▁")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token=unk, fuse_unk=fuse_unk, byte_fallback=byte_fallback))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoder
    finish(name, tokenizer, added, post, config, files)


def unigram(name, byte_fallback, decoder, normalizer=None, pre=None, post=None, added=(), config=None):
    # Scored by hand, the logarithm of each piece's share: the trainer's result changes from run to run.
    marked = "".join("▁" + word for text in CORPUS for word in text.split())
    counts = collections.Counter(marked[at:at + length] for length in range(1, 8) for at in range(len(marked) - length + 1))
    chosen = sorted((piece for piece in counts if "▁" not in piece[1:]), key=lambda piece: (-counts[piece] * len(piece), piece))[:260]
    vocab = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], *([[code, -12.0] for code in HEXES] if byte_fallback else [])]
    vocab += [[piece, round(math.log(counts[piece] / len(marked)), 5)] for piece in chosen]
    tokenizer = Tokenizer(models.Unigram([tuple(item) for item in vocab], 2, byte_fallback))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre or pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoder
    finish(name, tokenizer, added or [special("<pad>"), special("</s>"), special("<unk>")], post, config or {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}, None)


def finish(name, tokenizer, added, post, config, files):
    for token in added:
        tokenizer.add_tokens([token])
    if post is not None:
        tokenizer.post_processor = post(tokenizer.token_to_id)
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(compact(json.loads(tokenizer.to_str())))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for file, value in {"tokenizer_config.json": config or {}, **(files or {})}.items():
        (folder / file).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")
    write(folder, tokenizer)


def compact(made):
    """Merges as 'a b' take half the room; a piece with a space in it needs the other form."""
    merges = made["model"].get("merges")
    if merges and not any(" " in part for pair in merges for part in pair):
        made["model"]["merges"] = [" ".join(pair) for pair in merges]
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n"


def write(folder, tokenizer):
    chance = random.Random(7)
    size = tokenizer.get_vocab_size()
    runs = [[id] for id in range(size)] + [[chance.randrange(size) for _ in range(chance.randrange(2, 12))] for _ in range(120)]
    byte_ids = [id for id in (tokenizer.token_to_id(piece) for piece in HEXES + sorted(BYTES)) if id is not None]
    runs += [[chance.choice(byte_ids) for _ in range(chance.randrange(2, 8))] for _ in range(60)] if byte_ids else []
    rows = {key: [] for key in ("special", "plain", "back", "skip")}
    for text in TEXTS:
        rows["special"].append(tokenizer.encode(text).ids)
        rows["plain"].append(tokenizer.encode(text, add_special_tokens=False).ids)
        for key, skip in (("back", False), ("skip", True)):
            back = tokenizer.decode(rows["special"][-1], skip_special_tokens=skip)
            rows[key].append(None if back == text else back)
    rows["decode"] = [[run, tokenizer.decode(run, skip_special_tokens=False), tokenizer.decode(run, skip_special_tokens=True)] for run in runs]
    lines = [f" {json.dumps(key)}: [\n" + ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in value) + "\n ]" for key, value in rows.items()]
    (folder / "expected.json.gz").write_bytes(gzip.compress(("{\n" + ",\n".join(lines) + "\n}\n").encode(), mtime=0))


def main():
    (HERE / "texts.json").write_text("[\n" + ",\n".join(" " + json.dumps(text) for text in TEXTS) + "\n]\n")
    end = "<|endoftext|>"
    gpt2 = {"bos_token": end, "eos_token": end, "unk_token": end}
    byte_level("gpt2", added=[special(end, normalized=True)], config=gpt2)
    byte_level("gpt2-prefix", prefix=True, added=[special(end)], config=gpt2)
    byte_level("plain", config={}, post=lambda id: processors.ByteLevel(), merges=40)
    byte_level("neox", normalizer=normalizers.NFC(), added=[special(end), special("<|padding|>"), *(plain(" " * n) for n in range(24, 1, -1))],
               post=lambda id: processors.TemplateProcessing(single="$A", pair="$A $B"), config={**gpt2, "pad_token": "<|padding|>", "add_bos_token": True})
    begin, eot = "<|begin_of_text|>", "<|eot_id|>"
    names = [begin, "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", eot]
    byte_level("llama3", split=LLAMA3, ignore_merges=True, added=[special(name) for name in names],
               post=lambda id: processors.Sequence([processors.ByteLevel(trim_offsets=False), template(f"{begin} $A", **{begin: id(begin)})]),
               config={"bos_token": begin, "eos_token": eot}, files={"generation_config.json": {"bos_token_id": 419, "eos_token_id": [420, 423]}})
    byte_level("qwen", split=QWEN, normalizer=normalizers.NFC(), added=[special(end), special("<|im_start|>"), special("<|im_end|>"), plain("<tool_call>", normalized=False)],
               config={"eos_token": "<|im_end|>", "pad_token": end, "bos_token": None, "add_bos_token": False},
               files={"generation_config.json": {"eos_token_id": [418, 416], "pad_token_id": 416, "bos_token_id": 416}})
    byte_level("cased", split=CASED, added=[special(end)], config=gpt2)
    byte_level("possessive", split=POSSESSIVE, added=[special(end)], config=gpt2)
    byte_level("digits", steps=[pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)], added=[special(end)], config=gpt2)
    byte_level("punctuation", steps=[pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(),
                                     pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")], added=[special(end)], config=gpt2)
    byte_level("specials", normalizer=normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), config={"eos_token": end, "mask_token": "[MASK]"}, added=[
        special(end), special("[MASK]", lstrip=True), special("<|right|>", rstrip=True), special("<|both|>", lstrip=True, rstrip=True), special("<|wörd|>", normalized=True),
        plain("Kelvin", single_word=True), plain("ﬁne", normalized=True), plain("RAW", normalized=False), plain("é", normalized=False), plain("<|endoftext|>>", normalized=False), plain("   ", rstrip=True)],
        post=lambda id: processors.RobertaProcessing((end, id(end)), ("[MASK]", id("[MASK]"))))
    for behavior in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"):
        byte_level("split-" + behavior.replace("_", "-"), merges=30, added=[special(end)], config=gpt2, steps=[
            pre_tokenizers.Split(Regex(r"\p{L}+"), behavior, invert=True), pre_tokenizers.Split("e", behavior), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)])
    llama = [special("<unk>"), special("<s>"), special("</s>")]
    llama_config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": True}
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    spaces = normalizers.Replace(" ", "▁")
    pieces("llama2", normalizer=normalizers.Sequence([normalizers.Prepend("▁"), spaces]), added=llama, config=llama_config,
           decoder=decoders.Sequence([*back, decoders.Strip(" ", 1, 0)]), post=lambda id: template("<s> $A", **{"<s>": 1}))
    pieces("mistral", pre=pre_tokenizers.Metaspace(prepend_scheme="first", split=False), added=llama, config=llama_config,
           decoder=decoders.Sequence([*back, decoders.Strip(" ", 1, 0)]), post=lambda id: template("<s> $A </s>", **{"<s>": 1, "</s>": 2}))
    gemma = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "\n\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "<h1>", "\t")
    pieces("gemma", normalizer=spaces, pre=pre_tokenizers.Split(" ", "merged_with_previous"), first=gemma, decoder=decoders.Sequence(back),
           added=[*(special(name) for name in gemma[:5]), plain("[multimodal]", normalized=False), special(gemma[6]), special(gemma[7]), *(plain(name, normalized=False) for name in gemma[8:15])],
           post=lambda id: template("<bos> $A", **{"<bos>": 2}), config={"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
           files={"generation_config.json": {"bos_token_id": 2, "eos_token_id": [1, 7], "pad_token_id": 0}})
    pieces("holes", normalizer=spaces, added=llama, config=llama_config, decoder=decoders.Sequence(back), drop=("<0xF0>", "<0xC3>"), fuse_unk=False)
    pieces("bare", byte_fallback=False, normalizer=spaces, added=llama, config=llama_config, decoder=None)
    pieces("silent", byte_fallback=False, normalizer=spaces, unk=None, first=(), added=[], config={}, decoder=decoders.Fuse())
    unigram("unigram", False, decoders.Metaspace(prepend_scheme="always"), post=lambda id: template("$A </s>", **{"</s>": 1}))
    unigram("unigram-bytes", True, decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")]), pre=pre_tokenizers.Metaspace(prepend_scheme="first"),
            normalizer=normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]))
    unigram("unigram-words", True, decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")]), normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()]),
            pre=pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]))
    widths = {"\u00a0": " ", "\u3000": " ", "\u200b": "", "ﬁ": "fi", "½": "1/2", "e\u0301": "é", "n": "N", "n\u0303": "ñ", "か\u3099": "が", "か": "カ", "\r\n": "\n", "😀": ":)", "\u0300": "`", "Ⅷ": "VIII"}
    unigram("unigram-charsmap", True, decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")]), pre=pre_tokenizers.Metaspace(prepend_scheme="first"),
            normalizer=normalizers.Sequence([normalizers.Precompiled(charsmap(widths)), normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), " ")]))
    words()
    check_transformers()


def words():
    """Whole words alone, without a decoder: tokens are joined by spaces."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=200, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"]))
    finish("words", tokenizer, [], None, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, None)


def check_transformers():
    """`add_bos_token` and `add_eos_token` of tokenizer_config.json change nothing where there is a tokenizer.json: its post-processor rules."""
    from transformers import PreTrainedTokenizerFast

    for name in ("llama2", "mistral", "neox", "qwen", "gemma", "llama3"):
        whole, direct = PreTrainedTokenizerFast.from_pretrained(HERE / name), Tokenizer.from_file(str(HERE / name / "tokenizer.json"))
        assert all(whole(text).input_ids == direct.encode(text).ids for text in TEXTS), name


if __name__ == "__main__":
    main()
