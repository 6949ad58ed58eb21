"""Files at WeCom (docs 90253, 90254, 90256, 95098, 96219): each is uploaded once for what it is used for, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q

from yutang.channels.contracts import UnexpectedAnswer
from yutang.channels.models import Uploaded
from yutang.channels.wecom.client import WeComClient, instant
from yutang.files.contracts import FileKind, digest_of
from yutang.files.queries import content_of, file_facts
from yutang.intake.lease import lives, me
from yutang.kernel.clock import wall_now
from yutang.kernel.failpoints import failpoint
from yutang.kernel.turns import my_turn

UPLOAD = "media/upload"
ATTACHMENT = "media/upload_attachment"
PICTURE = "media/uploadimg"
GET = "media/get"
BY_URL = "media/upload_by_url"
BY_URL_RESULT = "media/get_upload_by_url_result"

CHANNEL = "wecom"
LIFE = timedelta(days=3)
MARGIN = timedelta(hours=6)  # a file that ends sooner is uploaded anew: what it goes into may be sent hours later
FRESH = timedelta(minutes=10)
HOLD = timedelta(minutes=3)  # after which an upload is taken for dead
LOOK = 0.2


class Use(StrEnum):
    """What a file is for. Ids of one use are of no use for another."""

    MESSAGE = "message"  # mass sends, welcomes, messages of the app
    MOMENT = "moment"
    ALBUM = "album"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file to be uploaded. `name` is shown where a file is sent as a file."""

    kind: FileKind
    name: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The same for what the platform would hold as the same."""
        return digest_of(self.kind, self.name, self.content)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that the house keeps: its bytes are read only where it is really uploaded."""

    kind: FileKind
    kept: str

    @property
    def digest(self) -> bytes:
        """That by which it is kept."""
        return bytes.fromhex(self.kept)

    @property
    def name(self) -> str:
        """As it was uploaded to us. Raises NotFound."""
        return file_facts(self.kept).name

    @property
    def content(self) -> bytes:
        """Its bytes. Raises NotFound."""
        return content_of(self.kept)


class FetchState(StrEnum):
    """How a file that the platform fetches itself stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fetched:
    """`errcode` says why it failed; `media_id` is of use for groups' welcomes alone."""

    state: FetchState
    media_id: str = ""
    errcode: int = 0


class WeComMedia:
    """The files of one corp. Uploads are remembered in our database, so all processes and apps of the corp share them.

    Whoever wants a file that somebody is just uploading waits for them; when they die, the next one uploads it.
    """

    def __init__(self, client: WeComClient, corp: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._corp = corp
        self._sleep = sleep

    def media_id(self, file: MediaFile | StoredFile, use: Use = Use.MESSAGE, lasts: timedelta = timedelta(0)) -> str:
        """The id of a file for this use, good for some hours at least, and for as long as it is to last; where that is
        longer than any id is good, for nearly as long as a fresh one. Outside of a transaction.

        Raises RefusedByPlatform for a file that breaks the platform's rules, TryLater when it cannot be asked.
        """
        purpose = f"{use}:{file.kind}"
        good = wall_now() + min(lasts, LIFE - 2 * MARGIN)
        known = self._known(purpose, file.digest)
        if known is not None and known.until is not None and good < known.until:
            return known.handle
        return self._once(purpose, file.digest, lambda: self._upload(file, use), good)

    def held(self, file: MediaFile | StoredFile, use: Use = Use.MESSAGE) -> str:
        """The id of a file that is good now; empty where it must be uploaded first. Asks nobody."""
        known = self._known(f"{use}:{file.kind}", file.digest)
        return known.handle if known is not None and (known.until is None or wall_now() < known.until) else ""

    def disown(self, handles: Iterable[str]) -> bool:
        """The platform knows one of these no more, whatever it had promised: forget those that are not brand new, so
        that they are uploaded anew; whether there were any."""
        fresh = wall_now() + LIFE - MARGIN - FRESH
        old = Uploaded.objects.filter(channel=CHANNEL, corp=self._corp, handle__in=list(handles), until__lt=fresh)
        with my_turn():
            return bool(old.delete()[0])

    def _known(self, purpose: str, digest: bytes) -> Uploaded | None:
        rows = Uploaded.objects.filter(channel=CHANNEL, corp=self._corp, purpose=purpose, digest=digest)
        with my_turn():  # a store in memory lets nobody read beside a writer
            return rows.exclude(handle="").first()

    def picture_address(self, file: MediaFile | StoredFile) -> str:
        """The address of a picture for ever, the only kind that a mass send takes as `pic_url`; of 2 MB at most."""
        known = self._known("picture", file.digest)
        if known is not None:
            return known.handle

        def upload() -> tuple[str, datetime | None]:
            return str(self._client.upload(PICTURE, {}, file.name, file.content).get("url") or ""), None

        return self._once("picture", file.digest, upload)

    def read(self, media_id: str) -> bytes:
        """The bytes of a file."""
        return self._client.download(GET, {"media_id": media_id})

    def fetch(self, kind: FileKind, name: str, url: str, md5: str) -> str:
        """Let the platform fetch a file of up to 200 MB from an address that serves ranges; returns the job's id.

        Repeating it costs the platform one more job, and us nothing.
        """
        body = {"scene": 1, "type": kind.value, "filename": name, "url": url, "md5": md5}
        jobid = self._client.call(BY_URL, body=body).get("jobid")
        if not jobid:
            raise UnexpectedAnswer(BY_URL, "没有 jobid", "there is no jobid")
        return str(jobid)

    def fetched(self, jobid: str) -> Fetched:
        """How a job stands; it can be asked about for an hour."""
        answer = self._client.call(BY_URL_RESULT, body={"jobid": jobid})
        state = {1: FetchState.WAITING, 2: FetchState.DONE, 3: FetchState.FAILED}.get(int(answer.get("status") or 0))
        if state is None:
            raise UnexpectedAnswer(BY_URL_RESULT, "未知的任务状态", "the job's state is unknown")
        detail = answer.get("detail") or {}
        return Fetched(state, str(detail.get("media_id") or ""), int(detail.get("errcode") or 0))

    def _upload(self, file: MediaFile | StoredFile, use: Use) -> tuple[str, datetime | None]:
        if use is Use.MESSAGE:
            answer = self._client.upload(UPLOAD, {"type": file.kind.value}, file.name, file.content)
        else:
            scene = {Use.MOMENT: "1", Use.ALBUM: "2"}[use]
            params = {"media_type": file.kind.value, "attachment_type": scene}
            answer = self._client.upload(ATTACHMENT, params, file.name, file.content)
        made = instant(answer.get("created_at")) or wall_now()
        return str(answer.get("media_id") or ""), made + LIFE - MARGIN

    def _once(
        self,
        purpose: str,
        digest: bytes,
        upload: Callable[[], tuple[str, datetime | None]],
        good: datetime | None = None,
    ) -> str:
        """Upload, or find what another just uploaded; `good`: until when what is found must at least be good."""
        holder = me()
        while True:
            handle, mine = self._claim(purpose, digest, holder, good)
            if handle:
                return handle
            if mine is not None:
                break
            self._sleep(LOOK)
        failpoint("media.claimed")
        row = Uploaded.objects.filter(pk=mine, claimed_by=holder)
        try:
            handle, until = upload()
            failpoint("media.uploaded")
            if not handle:
                raise UnexpectedAnswer(UPLOAD, "没有文件的编号", "the file has no id")
            with my_turn():
                row.update(handle=handle, until=until, claimed_by="")
        except BaseException:
            with my_turn():
                row.delete()
            raise
        return handle

    def _claim(self, purpose: str, digest: bytes, holder: str, good: datetime | None) -> tuple[str, int | None]:
        """The id, where there is one; else the row to upload for, or None while another does."""
        now = wall_now()
        good = good or now
        with my_turn(), transaction.atomic():
            row, _ = Uploaded.objects.get_or_create(channel=CHANNEL, corp=self._corp, purpose=purpose, digest=digest)
            row = Uploaded.objects.select_for_update().get(pk=row.pk)
            if row.handle and (row.until is None or good < row.until):
                return row.handle, None
            if row.claimed_by and row.claim_until is not None and now < row.claim_until and lives(row.claimed_by):
                return "", None
            row.handle, row.until, row.claimed_by, row.claim_until = "", None, holder, now + HOLD
            row.save(update_fields=["handle", "until", "claimed_by", "claim_until"])
            return "", row.pk


def forget_old_uploads() -> int:
    """Forget files whose time at the platform is over, or whose upload nobody finished; returns how many."""
    now = wall_now()
    return Uploaded.objects.filter(Q(until__lt=now) | Q(handle="", claim_until__lt=now)).delete()[0]
