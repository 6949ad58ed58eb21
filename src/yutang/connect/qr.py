"""QR codes as pictures that scale."""

from __future__ import annotations

import io

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage


def qr_svg(text: str) -> str:
    """A QR code (ISO/IEC 18004, level M, with its quiet zone of 4 modules) as one SVG element."""
    made = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, image_factory=SvgPathImage)
    made.add_data(text)
    made.make(fit=True)
    file = io.BytesIO()
    made.make_image().save(file)
    svg = file.getvalue().decode()
    return svg[svg.index("<svg") :]
