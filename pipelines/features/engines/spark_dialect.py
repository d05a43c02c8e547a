"""How Ibis expressions are said to Spark where Ibis alone says something else, or nothing.

Each of these gives on Spark what the same expression gives on DuckDB.
"""

from typing import Any

import ibis.expr.operations as ops
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from ibis.common.exceptions import UnsupportedOperationError


class SparkDialect(PySparkCompiler):  # type: ignore[misc] # Ibis ships no types
    """Ibis's compiler to Spark's SQL, with what features need of it."""

    __slots__ = ()

    def visit_ArrayCollect(  # noqa: N802 - Ibis finds it by this name
        self, op: ops.ArrayCollect, *, arg: Any, where: Any, order_by: Any, include_null: bool, distinct: bool
    ) -> Any:
        """A list in order: Spark gathers in no order at all, so rows are gathered with what orders them.

        Raises:
            UnsupportedOperationError: Some of the order goes up and some down.
        """
        if not order_by:
            return super().visit_ArrayCollect(
                op, arg=arg, where=where, order_by=order_by, include_null=include_null, distinct=distinct
            )
        descending = {bool(one.args.get("desc")) for one in order_by}
        if len(descending) > 1 or include_null or distinct:
            raise UnsupportedOperationError("lists on Spark are ordered up or down, with nulls left out")
        counts = arg.is_(sge.Not(this=sge.Null()))
        row = self.f.struct(*(one.this for one in order_by), arg.as_("collected"))
        gathered = self.f.collect_list(self.if_(counts if where is None else where & counts, row, sge.Null()))
        ordered = self.f.sort_array(gathered, sge.convert(not descending.pop()))
        return sge.Dot(this=ordered, expression=sge.to_identifier("collected"))

    def visit_ArrayIndex(self, op: ops.ArrayIndex, *, arg: Any, index: Any) -> Any:  # noqa: N802
        """An element, counted from zero, or null where there is none: `element_at` would be an error."""
        return self.f.anon.get(arg, index)

    def visit_ExtractEpochSeconds(self, op: ops.ExtractEpochSeconds, *, arg: Any) -> Any:  # noqa: N802
        """Whole seconds since 1970, rounded down, without a detour over a timestamp that has no zone."""
        return self.f.anon.unix_seconds(arg)

    def visit_TimestampFromUNIX(self, op: ops.TimestampFromUNIX, *, arg: Any, unit: Any) -> Any:  # noqa: N802
        """An instant from seconds as numbers, not by way of text."""
        if unit.short != "s":
            return super().visit_TimestampFromUNIX(op, arg=arg, unit=unit)
        return self.f.anon.timestamp_seconds(arg)
