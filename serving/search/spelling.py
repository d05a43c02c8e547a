"""Which word was probably meant."""

from collections import Counter
from collections.abc import Sequence


def nearest_word(word: str, words: Sequence[str]) -> str | None:
    """The word of the fewest edits from `word`, the most frequent one among equals; None if all are far.

    At most one edit for words below six letters, two from six on.
    """
    limit = 1 if len(word) < 6 else 2
    counts = Counter(words)
    ranked = [
        (distance, -count, other)
        for other, count in counts.items()
        if abs(len(other) - len(word)) <= limit and (distance := edits(word, other)) <= limit
    ]
    return min(ranked)[2] if ranked else None


def edits(one: str, other: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.

    Damerau 1964, in the restricted form: no letter is edited twice.
    """
    previous: list[int] = []
    current = list(range(len(other) + 1))
    for row, left in enumerate(one, start=1):
        before, previous, current = previous, current, [row]
        for column, right in enumerate(other, start=1):
            cost = min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right))
            swapped = row > 1 and column > 1 and left == other[column - 2] and right == one[row - 2]
            current.append(min(cost, before[column - 2] + 1) if swapped else cost)
    return current[-1]
