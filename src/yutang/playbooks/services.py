"""Reading the shipped playbooks and keeping them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from yutang.connect.documents import ContactWay
from yutang.content.documents import Content, ContentRules
from yutang.documents import services as documents
from yutang.guard.accounts.documents import AccountRules
from yutang.guard.radar.documents import WallsDocument
from yutang.intake.hooks.documents import WebhookDocument
from yutang.kernel.documents import Document, read
from yutang.kernel.errors import BadInput, YutangError
from yutang.layers.documents import LadderDocument, RfmDocument, SuperUsersDocument
from yutang.log.documents import EventTypeDocument
from yutang.profiles.documents import TraitDocument
from yutang.profiles.values.documents import CategorySizeDocument, ValuesDocument
from yutang.reach.documents import BroadcastDocument
from yutang.reach.policy import PolicyDocument
from yutang.reflex.documents import ReflexRule
from yutang.review.advisor_documents import AdvisorDocument
from yutang.review.documents import TrustDocument
from yutang.segments.documents import SegmentDocument
from yutang.tasks.documents import TodayDocument

SHIPPED_KINDS: tuple[type[Document], ...] = (
    TraitDocument,
    SegmentDocument,
    BroadcastDocument,
    PolicyDocument,
    ContentRules,
    Content,
    ContactWay,
    ReflexRule,
    EventTypeDocument,
    WebhookDocument,
    TrustDocument,
    WallsDocument,
    TodayDocument,
    AccountRules,
    RfmDocument,
    LadderDocument,
    ValuesDocument,
    CategorySizeDocument,
    AdvisorDocument,
    SuperUsersDocument,
)

_PACKAGED = Path(__file__).parent / "shipped"  # where the wheel puts them
_CHECKOUT = Path(__file__).resolve().parents[3] / "playbooks"  # where a clone has them
AUTHOR = "yutang"


def shipped_files() -> list[Path]:
    """Every shipped document, by path."""
    root = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return sorted(root.rglob("*.yaml"))


def read_file(path: Path) -> Document:
    """The document in a file. Raises BadInput naming the file."""
    try:
        return read(path.read_bytes())
    except OSError as error:
        raise BadInput(f"无法读取 {path}：{error.strerror}。", f"{path} cannot be read: {error.strerror}.") from error
    except YutangError as error:
        raise BadInput(f"{path}：{error.zh}", f"{path}: {error.en}") from error


def keep_shipped() -> int:
    """Keep every shipped document whose name is not in use by a brand's own; returns how many there are."""
    shipped = [_read_once(path, path.stat().st_mtime_ns) for path in shipped_files()]
    documents.save_shipped(shipped, AUTHOR)
    return len(shipped)


@lru_cache(maxsize=512)
def _read_once(path: Path, changed: int) -> Document:
    """The document in a file as it was last changed; a process reads it once, for that takes longer than keeping it."""
    return read_file(path)
