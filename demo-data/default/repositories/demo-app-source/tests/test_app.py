from app import search


def test_a_word_finds_what_contains_it():
    assert search("la") == ["lamp"]


def test_nothing_is_found_for_an_unknown_word():
    assert search("xyz") == []
