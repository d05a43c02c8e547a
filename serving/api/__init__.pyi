from .middleware import RequestMiddleware as RequestMiddleware

__all__ = ["RequestMiddleware"]
