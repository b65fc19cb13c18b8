"""Words of three languages with their pronunciations: the middle-sized part of SIGMORPHON's task 1 of 2021.

dut_train.tsv   aalten<TAB>aː l t ə n
"""

from pathlib import Path

from training.datasets import files
from training.datasets.files import DataFile

LICENCE = "CC BY-SA 3.0 (from Wiktionary, through WikiPron)"
CITATION = (
    "Ashby et al. 2021, Results of the Second SIGMORPHON Shared Task on Multilingual Grapheme-to-Phoneme Conversion"
)
URL = "https://raw.githubusercontent.com/sigmorphon/2021-task1/821bcdece5/data/medium"


def _file(name: str, size: int, sha256: str) -> DataFile:
    return DataFile("g2p-sigmorphon2021", name, sha256, size, LICENCE, CITATION, f"{URL}/{name}")


FILES = {
    "dut": (
        _file("dut_train.tsv", 211_071, "08d327412cbf809a4cf894e015975d91588a38e8e05fb86450f42a4a38e534b8"),
        _file("dut_dev.tsv", 26_360, "77a896e9510b6ebc610a9bc6a1bf32a06bc85489e9056caf77d996bb107318aa"),
        _file("dut_test.tsv", 25_992, "eb31a13e8f797f1bda23194689805c8ea0cd6960e86f739d1e818f1815c287ae"),
    ),
    "fre": (
        _file("fre_train.tsv", 182_424, "e9de4f5125d2478e50506c5ed278f69d5fb17d8d213f99f845305c24e28a55c2"),
        _file("fre_dev.tsv", 22_895, "3b42f14f318367dd94faa6d59e8fafabd845a3998800b6ce71a7c67e999490da"),
        _file("fre_test.tsv", 23_087, "6202c2b7b8d5fbd76a4d40373f9564a9946671dab617438b534bd47c64071c92"),
    ),
    "hun": (
        _file("hun_train.tsv", 226_536, "cd6bea5ae552bc73a63abf459af5f41d27c1c276b4a15de49f1fffd23ee4d363"),
        _file("hun_dev.tsv", 28_113, "a2892c27cf6d3075aacdd195c02bf34f8b509bcc08bb230b758d7978a7d920d0"),
        _file("hun_test.tsv", 28_355, "e9ec4ba9c89808864e6518e529e21cda6fe51287ad7a5a1fc23668cc64f31159"),
    ),
}  # by language: the three parts, that for training first


def locate(language: str) -> Path:
    """The file for training of one of `FILES`' languages, with the two others beside it: the user's copy under
    `SEQZOO_DATA`, or downloaded once. Raises InputError where the user has some of the three alone: what is read beside
    a file for training decides how its words are split."""
    return files.locate_together(FILES[language])[0]
