"""The whole loop on real shop data, on this machine: what `make demo` runs."""

from pipelines.demo.cli import demo

__all__ = ["demo"]
