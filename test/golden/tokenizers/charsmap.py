"""A character map as SentencePiece writes it: length of the trie, a double-array trie, and the replacements, each ended by a zero byte."""
import struct


def charsmap(replacements):
    """Bytes of the map of a dict from text to text. Children of a node lie at base ^ label; label 0 holds the value of a key that ends there."""
    trie, texts = {}, b""
    for key, text in replacements.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = len(texts)
        texts += text.encode() + b"\0"
    units, taken, waiting = {}, {0}, [(0, 0, trie)]
    while waiting:
        at, label, node = waiting.pop(0)
        base = next(base for base in range(1, 1 << 20) if not any(base ^ child in taken for child in node))
        taken |= {base ^ child for child in node}
        units[at] = (at ^ base) << 10 | (0 in node) << 8 | label
        for child, value in node.items():
            if child == 0:
                units[base] = 1 << 31 | value
            else:
                waiting.append((base ^ child, child, value))
    size = (max(units) // 256 + 1) * 256  # whole blocks, so that every base ^ byte lies inside
    array = struct.pack(f"<{size}I", *(units.get(at, 0) for at in range(size)))
    return struct.pack("<I", len(array)) + array + texts
