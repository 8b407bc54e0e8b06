"""Writes patterns.json.gz: patterns of Oniguruma, and how Python's `tokenizers` 0.23 cuts the texts of texts.json by each of them.

    python test/golden/tokenizers/patterns.py        (after make.py)
"""
import gzip
import json
import pathlib

from tokenizers import Regex, pre_tokenizers

HERE = pathlib.Path(__file__).parent
PATTERNS = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"\s", r"\S+", r"\d", r"\D+", r"\w+", r"\W+", r"\h+", r"\H", r"[^\S\n]+", r"[\s\d]+", r"[^\w]", r"[\W\d]+", r"[\D]", r".", r".+", r"^", r"^.", r".$", r"\s++$", r"\Aa", r"x\z", r"x\Z", r"\bt", r"e\b", r"\Be", r"\R",
    r"(?i:s)", r"(?i:[sk])", r"(?i)'s|'ll|é", r"(?i:a(?-i:b)c)", r"(?i:[a-f]+)", r"(?i:ΣΑ)", r"(?i:ß)", r"(?i:\u212b)", r"a(?i)E",
    r"\p{N}{1,3}+", r"\p{N}{2}", r"\p{N}{,2}", r"a{2,}?", r"a{2}?", r"a{,}", r"{x}", r"x{", r"\p{L}++\d", r"\p{L}*+e", r"[^\r\n\p{L}\p{N}]?+\p{L}+", r"(?>the|there)n", r"(?>a|ab)c", r"(a)\1", r"(?<q>['\"]).*?\k<q>",
    r"(?<=\p{L})\p{N}", r"(?<!\s)\s", r"(?=\p{Lu})", r"\p{Lu}\p{Ll}*", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+", r"\P{L}+", r"\p{^L}+", r"[\p{^L}]+", r"\P{^L}+", r"\p{Han}+", r"[\p{Han}\p{Hiragana}\p{Katakana}]+", r"\p{Alpha}+", r"\p{Cyrillic}", r"\p{Any}",
    r"[\p{L}&&[^\p{Han}]]+", r"[a-z&&[^aeiou]]+", r"[a-w&&[^c-g]&&[^o]]+", r"[[a-c][x-z]]+", r"[^[a-c]x]+", r"[[:alpha:]]+", r"[[:^space:]]+", r"[[:punct:]]", r"[[:digit:][:upper:]]+", r"[a\-z]+", r"[-az]+", r"[az-]+", r"[]a]", r"[^]a]+", r"[\[\]]", r"[\]\\^]", r"[!-/:-~]+", r"[\x41-\x{5a}\u0061]+", r"[\t\n\r\f\v]", r"\x{e9}|\u00e8|\t",
    r" ?[^(\s|[.,!?…。，、।۔،])]+", r"[一-龥\u0800-一가-퟿]+", r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+", r"\s?[\p{P}\p{S}]+", r"(?:\r\n|[\r\n])+|x(?#a remark)?", r"\'|\"|\ |\#|\-|\/|\&|\~|@", r"a|", r"|a", r"(?:)", r"a**", r"(?:ab?)+?c??", r"\$\^\.\|\(\)\*\+\?\{\}",
]


def main():
    texts = [text for text in json.loads((HERE / "texts.json").read_text()) if len(text) < 120 or text.startswith("\0")][:175] + ["aabcabcc aAbBcC abc then there", "a{,} {x} x{ aaaa aa", "'q' \"a'b\" x\n", "x", "Aaa\nx\nX", "σΑ ΣΑ ςα"]
    rows = []
    for pattern in PATTERNS:
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        rows.append([pattern, [[piece for piece, _ in split.pre_tokenize_str(text)] for text in texts]])
    made = "{\n" + f' "texts": {json.dumps(texts)},\n "patterns": [\n' + ",\n".join("  " + json.dumps(row, separators=(",", ":")) for row in rows) + "\n ]\n}\n"
    (HERE / "patterns.json.gz").write_bytes(gzip.compress(made.encode(), mtime=0))


if __name__ == "__main__":
    main()
