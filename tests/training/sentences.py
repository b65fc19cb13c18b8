"""Made-up sentences with the part of speech of each word, in files of CoNLL-U."""

from pathlib import Path

import numpy as np

WORDS = {
    "DET": ("the", "a", "every"),
    "ADJ": ("red", "good", "strange"),
    "NOUN": ("cook", "pie", "garden", "idea"),
    "VERB": ("bakes", "sees", "wants"),
    "PROPN": ("Ann", "Björk", "Oslo"),
    "PUNCT": (".", "!"),
}
FORMS = (("DET", "NOUN", "VERB", "PROPN", "PUNCT"), ("PROPN", "VERB", "DET", "ADJ", "NOUN"), ("DET", "ADJ", "NOUN"))
COUNTS = {"train": 40, "dev": 8, "test": 8}


def sentence(rng) -> list[tuple[str, str]]:
    """(word, tag) of each word."""
    return [(str(rng.choice(WORDS[tag])), tag) for tag in FORMS[rng.integers(len(FORMS))]]


def lines_of(words) -> list[str]:
    """The lines of a sentence, with the empty one at its end."""
    rows = [
        f"{n}\t{word}\t{word.lower()}\t{tag}\t{tag[:2]}\tLength={len(word)}\t{n - 1}\tdep{n % 3}\t_\t_"
        for n, (word, tag) in enumerate(words, start=1)
    ]
    return [f"# text = {' '.join(word for word, _ in words)}", *rows, ""]


def write_sentences_file(path: Path, count: int, seed: int) -> list[list[tuple[str, str]]]:
    drawn = [sentence(np.random.default_rng([seed, n])) for n in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(line for words in drawn for line in lines_of(words)) + "\n", encoding="utf-8")
    return drawn


def write_treebank(folder: Path) -> Path:
    """A folder with a file for each part."""
    for seed, (part, count) in enumerate(COUNTS.items()):
        write_sentences_file(folder / "treebank" / f"own-ud-{part}.conllu", count, seed)
    return folder / "treebank"
