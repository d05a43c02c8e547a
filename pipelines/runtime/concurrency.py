"""Working on a few things at the same time."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ordered(work: Callable[[Item], Result], items: Iterable[Item], count: int) -> Generator[Result]:
    """Yield what the work gives for each item, in order; `count` of them are under way, and no more.

    Worth it where the work leaves Python's lock to others, as Arrow does. What it raises is raised here.
    Whoever may stop early closes it, which waits for what is under way.
    """
    under_way: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="at-once") as threads:
        for item in items:
            under_way.append(threads.submit(work, item))
            if len(under_way) > count:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
