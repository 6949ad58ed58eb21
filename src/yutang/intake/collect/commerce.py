"""Segment's e-commerce events as this pond's (Segment spec: E-Commerce, version 2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from yutang.kernel.errors import BadInput
from yutang.log.contracts import Line, cost_of

ORDERS = {
    "order completed": "order.placed",
    "order updated": "order.corrected",
    "order refunded": "order.refunded",
    "order cancelled": "order.cancelled",
}
GOODS = {
    "product viewed": "product.viewed",
    "product clicked": "product.clicked",
    "product added": "product.added",
    "product removed": "product.removed",
}
LISTS = {
    "product list viewed": "list.viewed",
    "products searched": "goods.searched",
    "cart viewed": "cart.viewed",
    "checkout started": "checkout.started",
}
TEXT, NUMBER, COUNT, LEFT = "text", "number", "count", "left out"
_EVERYWHERE = dict.fromkeys(
    (
        "affiliation", "cart_id", "checkout_id", "currency", "discount", "filters", "image_url", "list_id",
        "order_id", "payment_method", "position", "product_id", "products", "query", "revenue", "shipping",
        "shipping_method", "sorts", "subtotal", "tax", "total", "url", "value", "store", "staff", "name", "brand",
        "category", "variant", "price", "quantity", "coupon", "sku",
    ),
    ("", LEFT),
)  # fmt: skip
"""What the spec defines and an event does not keep: left out on purpose. Anything else a sender adds is held."""

_GOODS: dict[str, tuple[str, str]] = {
    **_EVERYWHERE,
    "brand": ("brand", TEXT),
    "category": ("category", TEXT),
    "variant": ("variant", TEXT),
    "coupon": ("coupon", TEXT),
    "name": ("product", TEXT),
    "sku": ("sku", TEXT),
    "price": ("price", NUMBER),
    "quantity": ("quantity", NUMBER),
}
_LISTING: dict[str, tuple[str, str]] = {
    **_EVERYWHERE,
    "list_id": ("list", TEXT),
    "category": ("category", TEXT),
    "query": ("query", TEXT),
    "cart_id": ("cart", TEXT),
    "order_id": ("order_id", TEXT),
    "coupon": ("coupon", TEXT),
    "products": ("items", COUNT),
}
_ORDER: dict[str, tuple[str, str]] = {**_EVERYWHERE, "order_id": ("order_id", TEXT)}
_CENT = Decimal("0.01")
_LARGEST = 10**12


def goods(given: Mapping[str, Any], props: dict[str, Any]) -> dict[str, Any]:
    """Put what a product event keeps into `props`, and what the spec does not know. Raises BadInput naming a field."""
    _keep(_GOODS, given, props)
    if "sku" not in props and given.get("product_id") is not None:
        props["sku"] = said(given["product_id"], "product_id")
    return props


def listing(given: Mapping[str, Any], props: dict[str, Any]) -> dict[str, Any]:
    """As `goods`, for an event about a list of goods, a cart or a checkout."""
    _keep(_LISTING, given, props)
    value = _first(given, "value", "total", "revenue")
    if value is not None:
        props["value"] = number(value, "value")
    return props


def order(given: Mapping[str, Any]) -> dict[str, Any]:
    """The props of an order's event; its amount and lines stand beside them."""
    return _keep(_ORDER, given, {})


def _keep(table: Mapping[str, tuple[str, str]], given: Mapping[str, Any], props: dict[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        if value is None:
            continue
        known = table.get(name)
        if known is None:
            props[name] = value  # the vocabulary refuses it by name, unless the brand registered it
        elif known[1] is TEXT:
            props[known[0]] = value if type(value) is str else said(value, name)
        elif known[1] is NUMBER:
            props[known[0]] = number(value, name)
        elif known[1] is COUNT and isinstance(value, list):
            props[known[0]] = float(len(value))
    return props


def said(value: object, field: str) -> str:
    """A text; numbers are written out. Raises BadInput for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadInput(f"{field}：应为文字", f"{field}: it must be a text")


def number(value: object, field: str) -> float:
    """A number, also one written as a text. Raises BadInput."""
    if (type(value) is float or type(value) is int) and -_LARGEST < value < _LARGEST:
        return float(value)
    return float(exact(value, field))


def exact(value: object, field: str) -> Decimal:
    """A number without loss. Raises BadInput."""
    if type(value) is int and -_LARGEST < value < _LARGEST:
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadInput(f"{field}：应为数字", f"{field}: it must be a number")
    try:
        found = Decimal(str(value)[:40])
    except (InvalidOperation, ValueError):  # ValueError: Python writes out no number of more than 4,300 digits
        found = Decimal("NaN")
    if not found.is_finite() or abs(found) >= _LARGEST:
        raise BadInput(f"{field}：应为数字", f"{field}: it must be a number")
    return found


def money(value: object, field: str) -> Decimal:
    """An amount to the cent: sums made in a browser carry dust. Raises BadInput."""
    return exact(value, field).quantize(_CENT, ROUND_HALF_UP)


def lines(given: Mapping[str, Any]) -> tuple[Line, ...]:
    """The lines of an order: each product's price times its quantity (default 1), and so its `unit_cost`, where it says
    one. Raises BadInput naming the place."""
    products = given.get("products")
    if products is None:
        return ()
    if not isinstance(products, list) or not all(isinstance(one, dict) for one in products):
        raise BadInput("products：应为商品的列表", "products: it must be a list of products")
    found = []
    for index, one in enumerate(products):
        place = f"products.{index}"
        article = one.get("sku") or one.get("product_id")
        if article is None:
            raise BadInput(f"{place}.sku：缺少这一项", f"{place}.sku: it is missing")
        quantity = exact(one.get("quantity", 1), f"{place}.quantity")
        amount = (exact(one.get("price", 0), f"{place}.price") * quantity).quantize(_CENT, ROUND_HALF_UP)
        category = said(one["category"], f"{place}.category") if one.get("category") is not None else ""
        cost = cost_of(_unit_cost(one, given, place), quantity)
        found.append(Line(said(article, f"{place}.sku"), category, quantity, amount, cost=cost))
    return tuple(found)


def _unit_cost(product: Mapping[str, Any], given: Mapping[str, Any], place: str) -> Decimal | None:
    """What one piece of a product costs the brand. Raises BadInput for less than nothing, and for another currency."""
    if product.get("unit_cost") is None:
        return None
    found = exact(product["unit_cost"], f"{place}.unit_cost")
    if found < 0:
        zh, en = "成本不能为负；不知道成本就不要填", "a cost is not negative; leave it out where it is not known"
        raise BadInput(f"{place}.unit_cost：{zh}", f"{place}.unit_cost: {en}")
    own, whole = product.get("currency"), given.get("currency")
    if own is not None and whole is not None and str(own).upper() != str(whole).upper():
        raise BadInput(
            f"{place}.currency：成本要用订单的币种",
            f"{place}.currency: a cost is in the order's currency",
        )
    return found


def paid(given: Mapping[str, Any], of: tuple[Line, ...]) -> Decimal | None:
    """What an order costs: its total, else its revenue, else its value, else its lines together."""
    value = _first(given, "total", "revenue", "value")
    if value is not None:
        return money(value, "total")
    return sum((line.amount for line in of), Decimal(0)) if of else None


def _first(given: Mapping[str, Any], *names: str) -> Any:
    return next((given[name] for name in names if given.get(name) is not None), None)
