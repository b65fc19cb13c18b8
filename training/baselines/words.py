"""What one would guess from words alone, before any network: the tag that a word has most often, naive Bayes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

Words = Sequence[str]


def most_frequent(train: Iterable[tuple[Words, Words]], test: Iterable[Words], unknown: str) -> list[list[str]]:
    """Each test word's most frequent tag in training (words, tags), in lower case; `unknown` for a new word."""
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in train:
        for word, tag in zip(words, tags, strict=True):
            seen[word.lower()][tag] += 1
    tag_of = {word: max(tags, key=lambda tag: (tags[tag], tag)) for word, tags in seen.items()}
    return [[tag_of.get(word.lower(), unknown) for word in words] for words in test]


def naive_bayes(train: Sequence[tuple[Words, str]], test: Sequence[Words]) -> list[str]:
    """The label of each test sequence by multinomial naive Bayes over the words, add-one smoothing."""
    model = make_pipeline(CountVectorizer(analyzer=_words), MultinomialNB())
    model.fit([words for words, _ in train], [label for _, label in train])
    return [str(label) for label in model.predict(test)]


def _words(words: Words) -> list[str]:
    return [word.lower() for word in words]
