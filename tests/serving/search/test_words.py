import pyarrow as pa

from serving.search.words import Stemmer


def test_search_queries_and_items_are_cut_alike():
    stemmer = Stemmer()
    assert stemmer.groups("Crème BRÛLÉES, 0.5 l") == [["creme"], ["brule"], ["500ml"]]
    fields = stemmer.fields(pa.table({"title": ["Cre\u0300me <b>brûlée</b> 500ml"]}))
    assert {"creme", "brule", "500ml"} <= set(fields["title"][0])


def test_values_of_attributes_that_say_nothing_are_passed_over():
    items = pa.table(
        {"attributes": [["bluetooth: yes", "colour: dark blue", "vegan food", "width: 30"], None]}
    )
    stemmer = Stemmer()
    assert stemmer.fields(items)["attributes"] == [["dark", "blue", "vegan", "food"], []]
    assert "bluetooth" in stemmer.fields(items, whole_attributes=True)["attributes"][0]
    assert stemmer.fields(items)["title"] == [[], []]


def test_a_long_search_query_is_read_in_part():
    assert len(Stemmer().groups(" ".join(f"w{number}" for number in range(50)))) == 12
