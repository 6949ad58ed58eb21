"""WeCom's product album (商品图册, doc 95096) behind the port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from yutang.channels.contracts import AnswerLost, RefusedByPlatform, UnexpectedAnswer
from yutang.channels.ports.catalogue import PlatformProduct, Product
from yutang.channels.wecom import errcodes
from yutang.channels.wecom.client import WeComClient, instant
from yutang.kernel.errors import BadInput

ADD = "externalcontact/add_product_album"
GET = "externalcontact/get_product_album"
LIST = "externalcontact/get_product_album_list"
UPDATE = "externalcontact/update_product_album"
DELETE = "externalcontact/delete_product_album"

DESCRIPTION_CHARACTERS, CODE_BYTES, PICTURES = 300, 128, 9
MOST = Decimal(50_000)
CENT = Decimal("0.01")


class WeComAlbum:
    """`AlbumPort` on WeCom doc 95096. Only products that this app made can be changed."""

    def __init__(self, client: WeComClient) -> None:
        self._client = client

    def add_product(self, product: Product) -> str:
        """`add_product_album`."""
        answer = self._client.call(ADD, body=_body(product), repeatable=False)
        if not answer.get("product_id"):
            raise AnswerLost(ADD, "no product_id")
        return str(answer["product_id"])

    def read_product(self, product_id: str) -> PlatformProduct | None:
        """`get_product_album`."""
        try:
            row = self._client.call(GET, body={"product_id": product_id}).get("product") or {}
        except RefusedByPlatform as refused:
            if refused.errcode in errcodes.PRODUCT_GONE:
                return None
            raise
        return _product({"product_id": product_id, **row}, GET)

    def find_products(self) -> Sequence[PlatformProduct]:
        """`get_product_album_list`."""
        rows, _ = self._client.rows(LIST, {"limit": 100}, "product_list", lambda row: str(row["product_id"]))
        return sorted((_product(row, LIST) for row in rows), key=lambda one: one.product_id)

    def change_product(self, product_id: str, product: Product) -> None:
        """`update_product_album`. What is left out stays, so a code can be changed but not taken away."""
        self._client.call(UPDATE, body={"product_id": product_id, **_body(product)})

    def delete_product(self, product_id: str) -> None:
        """`delete_product_album`; that it is gone, or never was, says that what was wanted is so."""
        try:
            self._client.call(DELETE, body={"product_id": product_id})
        except RefusedByPlatform as refused:
            if refused.errcode not in errcodes.PRODUCT_GONE:
                raise


def _body(product: Product) -> dict[str, Any]:
    if not product.description or len(product.description) > DESCRIPTION_CHARACTERS:
        raise BadInput(
            f"商品描述应为 1–{DESCRIPTION_CHARACTERS} 个字，现有 {len(product.description)} 个。",
            f"A description has 1–{DESCRIPTION_CHARACTERS} characters; this one has {len(product.description)}.",
        )
    if not 0 <= product.price <= MOST or product.price != product.price.quantize(CENT):
        raise BadInput(
            f"商品价格 {product.price} 应在 0–{MOST} 之间，精确到分。",
            f"The price {product.price} must be 0–{MOST}, to the cent.",
        )
    if product.code and not (product.code.isascii() and product.code.isalnum() and len(product.code) <= CODE_BYTES):
        raise BadInput(
            f"商品编码只能用数字和字母，最多 {CODE_BYTES} 位。",
            f"A product's code takes letters and digits, {CODE_BYTES} at most.",
        )
    if not 1 <= len(product.pictures) <= PICTURES:
        raise BadInput(
            f"商品应有 1–{PICTURES} 张图片，现有 {len(product.pictures)} 张。",
            f"A product has 1–{PICTURES} pictures; this one has {len(product.pictures)}.",
        )
    return {
        "description": product.description,
        "price": int(product.price * 100),
        **({"product_sn": product.code} if product.code else {}),
        # `type` here, where every other call says `msgtype`.
        "attachments": [{"type": "image", "image": {"media_id": one}} for one in product.pictures],
    }


def _product(row: Mapping[str, Any], api: str) -> PlatformProduct:
    price = row.get("price")
    if not isinstance(price, int):
        raise UnexpectedAnswer(api, "商品没有价格", "a product has no price")
    pictures = [str((one.get("image") or {}).get("media_id", "")) for one in row.get("attachments") or ()]
    return PlatformProduct(
        str(row["product_id"]),
        Product(
            str(row.get("description") or ""), Decimal(price) / 100, tuple(pictures), str(row.get("product_sn") or "")
        ),
        instant(row.get("create_time")),
    )
