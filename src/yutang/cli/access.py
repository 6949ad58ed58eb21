"""Who may look: users for the console and `--as`, tokens for the API."""

from __future__ import annotations

import secrets

import click

from yutang.api.contracts import SCOPES
from yutang.cli.context import Shell, command, headquarters_only, presume
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation import services as organisation
from yutang.organisation.contracts import RoleName, Viewer
from yutang.organisation.queries import node_by_code, tokens

Answer = tuple[object, list[object]]
ROLE = click.Choice([role.value for role in RoleName])
NODE = click.option(
    "--node", default=organisation.ROOT, show_default=True, help="门店或区域 / code of a store or region"
)


@click.group("users")
def users_group() -> None:
    """用户 / users"""


@click.group("tokens")
def tokens_group() -> None:
    """API 令牌 / API tokens"""


GROUPS = (users_group, tokens_group)


@command(users_group, "add", brand_needed=False)
@click.argument("username")
@click.option("--role", type=ROLE, required=True, help="角色 / role")
@NODE
def add_user(shell: Shell, viewer: Viewer, username: str, role: str, node: str) -> Answer:
    """新建用户，打印一次性显示的密码 / make a user and print the password, once"""
    headquarters_only(viewer)
    presume()
    password = secrets.token_urlsafe(12)
    organisation.add_user(username, password, RoleName(role), node)
    organisation.audit(viewer, "add_user", username, role=role, node=node)
    return {"user": username, "password": password}, [f"{username}  {password}"]


@command(users_group, "reset-mfa")
@click.argument("username")
def reset_second_factor(shell: Shell, viewer: Viewer, username: str) -> Answer:
    """移除某用户的验证器、通行密钥和恢复码 / take a user's second factors away, who has lost them"""
    if viewer.role is not RoleName.OWNER:
        raise Refused("只有所有者能重置别人的第二步。", "Only the owner resets a second factor.")
    had = organisation.reset_second_factor(username)
    organisation.audit(viewer, "reset_second_factor", username)
    said = ("已重置，登录已结束", "reset, sessions ended") if had else ("本来就没有第二步", "there was none")
    return {"user": username, "reset": had}, [f"{username}  {shell.said(*said)}"]


@command(tokens_group, "issue", brand_needed=False)
@click.argument("name")
@click.option(
    "--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="权限，可多次 / repeatable"
)
@click.option("--role", type=ROLE, default=RoleName.OWNER.value, show_default=True, help="角色 / role")
@NODE
def issue_token(shell: Shell, viewer: Viewer, name: str, scopes: tuple[str, ...], role: str, node: str) -> Answer:
    """发放令牌，只显示一次 / issue a token; it is shown once"""
    headquarters_only(viewer)
    presume()
    if name in {token.name for token in tokens() if token.revoked_at is None}:
        raise BadInput(
            f"令牌「{name}」已存在，请换一个名字。", f"There is a token “{name}” already; choose another name."
        )
    token = organisation.issue_token(name, scopes, RoleName(role), node_by_code(node).code)
    organisation.audit(viewer, "issue_token", name, scopes=list(scopes), role=role, node=node)
    return {"name": name, "token": token}, [token]


@command(tokens_group, "revoke")
@click.argument("name")
def revoke_tokens(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """作废某名称的令牌 / make every token of that name useless"""
    headquarters_only(viewer)
    organisation.revoke_tokens(name)
    organisation.audit(viewer, "revoke_tokens", name)
    return {"name": name, "revoked": True}, [name]
