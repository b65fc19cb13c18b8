"""Guesses from words alone, by hand."""

from training.baselines.words import most_frequent, naive_bayes


def test_each_word_has_the_tag_that_it_has_most_often_in_any_case():
    train = [(["The", "run"], ["DET", "NOUN"]), (["the", "run"], ["DET", "VERB"]), (["RUN"], ["VERB"])]
    assert most_frequent(train, [["THE", "run", "far"], []], unknown="X") == [["DET", "VERB", "X"], []]


def test_naive_bayes_takes_the_label_whose_words_are_there():
    train = [(["play", "music"], "music"), (["play", "songs"], "music"), (["rain", "today"], "weather")]
    assert naive_bayes(train, [["Play", "it"], ["rain"]]) == ["music", "weather"]
