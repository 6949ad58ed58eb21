"""Who opens the phone's pages: members of staff by their own accounts, each with a user that is made when first needed.

A session that began on the phone stays there: it is marked `BY_PHONE`, and the console does not open to it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from yutang.kernel.clock import wall_now
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, NotFound, Refused
from yutang.kernel.ids import NodeId, SenderId, StaffId
from yutang.organisation.contracts import RoleName, SenderFacts, StaffFacts, Viewer
from yutang.organisation.models import PhoneLink, Role, SenderAccount, Staff, User
from yutang.organisation.queries import token_digest
from yutang.organisation.services import TREE, audit

BY_PHONE = "by_phone"
"""Of a session: it was begun on the phone."""
LASTS = timedelta(hours=24)
LATELY = timedelta(days=30)


def staff_of(username: str) -> StaffFacts | None:
    """The member of staff who is this user, if any. (Unscoped: asked of oneself.)"""
    row = Staff.objects.filter(user__username=username, active=True).first()
    if row is None:
        return None
    accounts = SenderAccount.objects.filter(staff=row, active=True).order_by("pk")
    name = row.name or ""
    return StaffFacts(
        StaffId(row.pk),
        NodeId(row.node_id),
        name,
        tuple(
            SenderFacts(
                SenderId(one.pk), StaffId(row.pk), NodeId(row.node_id), one.channel, one.corp, one.userid, name,
                one.daily_quota, True, row.synthetic,
            )
            for one in accounts
        ),
    )  # fmt: skip


def staff_by_account(channel: str, corp: str, userid: str) -> StaffId:
    """Whose account it is; userids ignore case. Raises NotFound for an account that is not ours, or is no longer
    active. (Unscoped: the platform has said whose browser it is.)"""
    rows = SenderAccount.objects.filter(channel=channel, corp=corp, userid__iexact=userid)
    row = rows.filter(active=True, staff__active=True).order_by("pk").first()
    if row is None:
        raise NotFound(
            f"「{userid[:64]}」不在员工名单里，或已停用。请让店长或总部在「组织」里添加。",
            f"“{userid[:64]}” is none of the staff, or is no longer active. Ask headquarters to add the account.",
        )
    return StaffId(row.staff_id)


def user_of_staff(staff: StaffId) -> User:
    """The user of a member of staff, made with the role of a guide at their store where there is none yet. A guide's
    role follows them to the store where they are now; roles that somebody gave stay. Raises Refused for one who left.
    """
    with transaction.atomic():
        lock(TREE)
        row = Staff.objects.select_related("user").get(pk=staff)
        if not row.active or not row.accounts.filter(active=True).exists():
            raise Refused("这个员工账号已停用，请联系店长。", "This account is no longer active; ask your manager.")
        if row.user is None:
            row.user = User.objects.create_user(f"staff:{row.pk}")
            row.save(update_fields=["user"])
            Role.objects.create(user=row.user, node_id=row.node_id, role=RoleName.GUIDE.value)
        elif not row.user.is_active:
            raise Refused("这个用户已停用，请联系总部。", "This user is closed; ask headquarters.")
        else:
            guides = Role.objects.filter(user=row.user, role=RoleName.GUIDE.value)
            if not guides.filter(node_id=row.node_id).exists():
                guides.update(node_id=row.node_id)
        return row.user


def on_the_phone(channel: str) -> dict[SenderId, StaffId]:
    """The active accounts on a channel of staff who logged in within `LATELY`, with whose they are. (Unscoped: whoever
    chooses what guides are asked to do chooses for all.)"""
    rows = SenderAccount.objects.filter(
        channel=channel, active=True, staff__active=True, staff__user__is_active=True,
        staff__user__last_login__gt=wall_now() - LATELY,
    ).order_by("pk")  # fmt: skip
    return {SenderId(pk): StaffId(staff) for pk, staff in rows.values_list("pk", "staff_id")}


def give_role(userid: str, role: RoleName, corp: str = "") -> str:
    """Let a member of staff be a guide or the manager of the store where they are now, and nothing else there; their
    user's name. Raises NotFound for an account that is not there, BadInput for another role, Refused where several
    corps have the account."""
    if role not in (RoleName.GUIDE, RoleName.MANAGER):
        raise BadInput("这里只能给导购（guide）或店长（manager）。", "Only guide and manager can be given here.")
    rows = SenderAccount.objects.filter(userid__iexact=userid, active=True, staff__active=True)
    staff = _one((rows.filter(corp=corp) if corp else rows).order_by("pk"), userid)
    user = user_of_staff(StaffId(staff))
    with transaction.atomic():
        node = Staff.objects.get(pk=staff).node_id
        given = (RoleName.GUIDE.value, RoleName.MANAGER.value)
        Role.objects.filter(user=user, role__in=given).delete()
        Role.objects.create(user=user, node_id=node, role=role.value)
    return user.username


def _one(rows: QuerySet[SenderAccount], userid: str) -> int:
    """Whose account it is. Raises NotFound and Refused."""
    found = set(rows.values_list("staff_id", flat=True))
    if not found:
        raise NotFound(f"没有账号「{userid[:64]}」。", f"There is no account “{userid[:64]}”.")
    if len(found) > 1:
        raise Refused("这个账号在几个企业里都有，请指明企业。", "Several corps have this account; name one.")
    return int(found.pop())


def make_link(viewer: Viewer, userid: str, corp: str = "") -> tuple[str, datetime]:
    """A one-time link's secret for the member of staff with this account, and until when it opens. Shown once.

    Raises NotFound for an account that the viewer does not see, Refused for a role that may not make links.
    """
    if not (viewer.may_operate or viewer.role is RoleName.MANAGER):
        raise Refused("只有总部和店长能发登录链接。", "Only headquarters and store managers make links.")
    rows = SenderAccount.objects.filter(userid__iexact=userid, active=True, staff__active=True)
    rows = rows if viewer.nodes is None else rows.filter(staff__node_id__in=viewer.nodes)
    staff = _one(rows.filter(corp=corp) if corp else rows, userid)
    if viewer.role is RoleName.MANAGER and _stands_above(staff, viewer):
        raise Refused(
            "这位员工的权限高于店长，请让总部发。", "This member of staff is more than a manager; ask headquarters."
        )
    secret, until = secrets.token_urlsafe(32), wall_now() + LASTS
    PhoneLink.objects.create(digest=token_digest(secret), staff_id=staff, made_by=viewer.name, until=until)
    audit(viewer, "make_phone_link", f"staff {staff}", userid=userid)
    return secret, until


def _stands_above(staff: int, manager: Viewer) -> bool:
    """Whether a member of staff's user is more than a manager, or a manager where this one is none. (A guide's role
    says where they were: they see the store where they are.)"""
    here = Q(role=RoleName.GUIDE.value) | Q(role=RoleName.MANAGER.value, node__in=manager.nodes or ())
    return Role.objects.filter(user__staff=staff).exclude(here).exists()


def link_stands(secret: str) -> bool:
    """Whether a link would still open. Looking does not use it up: chat programs open what they are sent."""
    return PhoneLink.objects.filter(digest=token_digest(secret), used_at=None, until__gt=wall_now()).exists()


def spend_link(secret: str) -> User:
    """Whose the link is; it opens nothing afterwards. Raises NotFound for one that is used, too old or unknown."""
    with transaction.atomic():
        rows = PhoneLink.objects.filter(digest=token_digest(secret))
        if not rows.filter(used_at=None, until__gt=wall_now()).update(used_at=wall_now()):
            raise NotFound(
                "这个链接已经用过或过期，请让店长再发一个。", "This link was used or is too old; ask for another one."
            )
        user = user_of_staff(StaffId(rows.values_list("staff_id", flat=True)[0]))
        audit(Viewer(user.username, RoleName.GUIDE, frozenset()), "use_phone_link", user.username)
        return user
