"""The corpus on which make.py trains its small tokenizers, and the texts that break tokenizers."""

CORPUS = [
    "The war lasted from the year 1732 to the year 1799, and they said that it'd be the last one. I'll see; we've seen.",
    "It isn't the end of the world, but you're not the only one who thinks so. He'd say: don't!",
    "def encode(text, ids):\n    for i, c in enumerate(text):\n        if c == ' ':\n            ids.append(i)\n    return ids\n",
    "for (let i = 0; i < 100; i++) {\n\tconsole.log(i)\n\t}\n\n\n", "while True:\n        pass\n\n    # the end\r\n\r\n",
    "Die Straße war naß, und das Mädchen aß Äpfel. L'été, le garçon a mangé à l'hôtel où il était né.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю.", "日本語のテキストを書く。中文文本也在這裡。", "안녕하세요 세계", "😀😀 👍 the the the 1234567890 2024 2025",
    "the there then them these they the other another mother whether weather", "2 + 2 = 4; 3.14159 * 10^2 (approx.) [see p. 12] {x: 1} <b>bold</b> \"quoted\" 'single'",
] * 3


def texts():
    """Every text once, in this order."""
    special = ["<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<|im_end|>", "<s>", "</s>", "<unk>", "<bos>", "<pad>", "[MASK]", "<|right|>", "<|both|>", "<start_of_turn>", "<|wörd|>", "Kelvin", "RAW"]
    hard = [
        "", "a", "The war lasted from the year 1732", "I'll we'LL they'd 'S 'ſ it'ſ '", "they’re ‘quoted’", "the  two  spaces  ", " leading", "trailing ",
        # Emoji: families with joiners, skin tones, flags, tag sequences, keycaps
        "😀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇯🇵🇩🇪🇯", "👍🏽", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", "1️⃣", "a😀b 👨‍👩‍👧‍👦 c",
        # Marks in both orders, compositions that are excluded, decompositions that change length
        "é e\u0301 \u0301e", "q\u0307\u0323 q\u0323\u0307", "ẛ̣ \u1e9b\u0323 s\u0323\u0307", "\u212b Å A\u030a", "\u0958 \u0915\u093c", "\u2126 Ω \u1f71", "\ufb01 \ufb03 \u2460 ½ ㎏", "\u1100\u1161\u11a8 각 \u1100\u1161\u11a8\u11a8 ㄱ",
        "\u0344 \u0374 \u037e \u0f73 \u2adc", "a\u0327\u0301\u0328 a\u0328\u0301\u0327", "n\u0303 n か\u3099 か が x\u0300\u0301 \u0300", "\U0001d15e \U0001109a \U00011099\U000110ba", "e\u0301\u0301\u0301", "\u0d4a \u0d46\u0d3e \u1025\u102e",
        # Ends of lines
        "a\r\nb", "a\rb", "a\n\rb", "\r\n\r\n", "\n", "\n\n\n  indented\n\tmore\n", "a\u2028b\u2029c\u0085d\u000bd\u000ce", " \n", " \r\n \n x", "x \n\n  y", "//\n/\r\n",
        # White space and what looks like it
        "a\u00a0b\u2003c\u3000d\u1680e\u180ef\u200bg\ufeffh\u2060i", "\ufeffstart", " \u00a0 \u2003 ", "\u200bx", "\u200b \u200b\u200b_", "\u0085\u0085 \u0085x", "\u001c\u001d\u001e\u001fx", "\t", "\t\t\tx", " \tx \t", "x\t y",
        # No text at all, and ends of ranges
        "\0", "a\0b", "\u0001\u007f\u0080\u009f", "\ufffd\ufffe\uffff", "\U0010ffff \U000f0000 \ue000", "\ud7ff \ue000",
        # Scripts
        "שלום עולם \u202eabc\u202c", "مرحبا بالعالم ١٢٣٤٥", "日本語のテキスト。改行\nあり", "𠀀𠀁 中文", "한국어 텍스트 \u1112\u1161\u11ab", "สวัสดีชาวโลก", "नमस्ते दुनिया १२३", "Istanbul İSTANBUL ıi I i\u0307", "ΑΣ Σ ας ΌΣΟΣ.", "ǅ ǆ Ǆ ß ẞ ŉ",
        "Ⅷ ² ³⁴ ½ ५ 𝟙𝟚 ㊿ ௧", "𝓗𝓮𝓵𝓵𝓸 𝕏", "ﷺ ﷽", "Zalgo Z̷͎̈a̴̛̤l̶̰͘g̵̱͝o̸͚͝",
        # Numbers, code, long words
        "1 12 123 1234 12345 123456789 1,234.56 0x1F 1e-9", "3.14.15", "def f(x):\n    if x:\n        return  x\n\n\treturn -1\n", "a_b__c ___ ---- ==== !!!??? ...", "https://example.org/path?q=1&r=%20#top", "<b>bold</b> &amp; {{x}} [[y]]", "\"\\'`${}",
        "x" * 500, "antidisestablishmentarianism" * 6, "aA" * 40, "the" * 70, "日" * 60, "é" * 50, "e\u0301" * 50, "😀" * 30, "12" * 60, "\n" * 60, "\t" * 40, "\r\n" * 30, "a b " * 30, "constructor __proto__ toString", "▁ ▁▁ a▁b ▁a a▁ ▁ ▁", " ▁", "▁ x",
        # What spells bytes and special tokens
        "<0x41> <0xE2><0x82><0xAC> <0xZZ>", "<|endoftext|", "<|endoftext|>>", "<|end", "a<|endoftext|>b", "<|ENDOFTEXT|>", "<|ＥＮＤ|> kelvin Kelvin KELVIN Kelvins xKelvin Kelvin-x _Kelvin éKelvin", "ﬁne fine FINE", "raw RAW rAW xRAWx", "   x    y     z", "x   \n  y",
        "\u00c2<|w\u00d6rd|> <|w\u006f\u0308rd|>", "a <h1> b\n\n\nc\n\n\n\nd    e", " whole  whole wholes unreachable étude été ét",
    ]
    hard += [s for name in special for s in (name, f"a{name}b", f"a {name} b", f"  {name}  ", f"{name}{name} x {name}")]
    hard += [" " * n + "x" for n in (*range(1, 21), 23, 24, 25, 26, 48, 49, 200)] + ["a" + " " * n for n in (2, 3, 7, 20, 200)] + ["a" + " " * n + "b" for n in (2, 3, 4, 5, 16, 33)]
    hard += [chr(byte) for byte in range(1, 256)] + ["".join(map(chr, range(256))), "a" + "a".join(map(chr, range(256))), " ".join(map(chr, range(128, 256)))]
    seen = dict.fromkeys(hard)
    return list(seen)
