"""The order of events of one instant."""

import numpy as np
import pyarrow as pa

from pipelines.training.data.tie_order import tie_keys


def test_a_key_depends_on_its_own_row_alone():
    whole = tie_keys(pa.array(["a", "b", "a"]), pa.array(["x", "x", "y"]))
    assert tie_keys(pa.array(["a"]), pa.array(["y"]))[0] == whole[2]
    assert len(set(whole.tolist())) == 3


def test_keys_say_nothing_of_how_ids_sort():
    numbers = np.arange(2_000)
    for texts in (numbers.astype(str), np.char.zfill(numbers.astype(str), 6)):
        places = np.argsort(tie_keys(pa.array(texts.tolist())))
        # The correlation of 2,000 pairs drawn at random stays below 4 / sqrt(2000).
        assert abs(np.corrcoef(numbers, places)[0, 1]) < 0.09


def test_chunks_and_nulls_are_texts_too():
    chunked = pa.chunked_array([["a"], [None, "a"]], pa.string())
    keys = tie_keys(chunked)
    assert keys[0] == keys[2]
    assert keys[1] != keys[0]
