"""Yutang 鱼塘: the operations platform for private domains (私域)."""

__version__ = "0.1.0"
