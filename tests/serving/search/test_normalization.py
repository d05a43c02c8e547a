"""One form for what catalogues say and what shoppers type."""

import pytest

from serving.search.normalization import catalogue_text, cleaned, code_of, part_numbers, quantities


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Cafe\u0301", "Café"),
        ("\uff21\uff22\uff23\u3000\uff11\uff12", "ABC 12"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("a\x00b\nc", "a b c"),
        ("ﬁne", "fine"),
    ],
)
def test_texts_are_in_one_form(written: str, meant: str):
    assert cleaned(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Salt &amp; Pepper", "Salt & Pepper"),
        ("<b>Bold</b> tea<br/>leaves", "Bold tea leaves"),
        ("caf&eacute;&nbsp;noir", "café noir"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("a<!-- hidden -->b", "a b"),
    ],
)
def test_markup_and_entities_of_a_catalogue_are_no_words(written: str, meant: str):
    assert catalogue_text(written) == meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cable 5m", ["5000mm"]),
        ("cable 5 m", ["5000mm"]),
        ("12 oz", ["12oz"]),
        ("12OZ cup", ["12oz"]),
        ("0.5 l", ["500ml"]),
        ("0,5L or 500ml", ["500ml", "500ml"]),
        ("1.5 kg", ["1500g"]),
        ("2.25 in", ["2p25in"]),
        ("model 5mx", []),
        ("m5 x12", []),
        ("1,000,000 m", []),
    ],
)
def test_a_number_with_its_unit_is_one_word_however_it_is_written(text: str, words: list[str]):
    assert quantities(text) == words


def test_codes_have_neither_punctuation_nor_case():
    assert code_of("AB-12/3 x") == code_of("ab123X") == "ab123x"
    assert part_numbers("Sony WH-1000XM4 (black) No. 7 a-b") == ["wh1000xm4"]
