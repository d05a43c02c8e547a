from .repeat_purchases import is_repurchase_too_soon as is_repurchase_too_soon
from .settings import RerankSettings as RerankSettings

__all__ = ["RerankSettings", "is_repurchase_too_soon"]
