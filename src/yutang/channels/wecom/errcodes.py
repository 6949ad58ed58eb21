"""WeCom's error codes: which to act on, and for a person, what to do about the rest.

WeCom doc 90313: clients branch on `errcode`, never on `errmsg`, whose text may change.
"""

from __future__ import annotations

import re
from typing import Final

from yutang.channels.contracts import RefusedByPlatform

OK: Final = 0
BUSY: Final = -1
TOKEN_REFUSED: Final = frozenset({40014, 41001, 42001})  # WeCom doc 91039: fetch a new token and repeat once
BAD_SECRET: Final = frozenset({40001, 40013})
TOO_OFTEN: Final = 45009
TOO_PARALLEL: Final = 45033
PAIR_BUSY: Final = 45035  # two calls at once on one relation; doc 90313 of 2024 does not name it
NO_SUCH_CUSTOMER: Final = 40096
NO_SUCH_TAG: Final = 40068
TAG_NAME_TAKEN: Final = 40071
NO_RIGHT: Final = 48002
STRANGE_ADDRESS: Final = 60020
NO_CUSTOMER: Final = 84061
NO_LICENCE: Final = 701008
BEING_HANDED_OUT: Final = 41063
CANCELLED: Final = 41093
NO_SUCH_WAY: Final = 41044
BAD_PARAMETER: Final = 40058
MOMENT_NOT_PUBLISHED: Final = 41062
MOMENT_JOBS: Final = 41078
MOMENT_BEING_HANDED_OUT: Final = 41079
PRODUCT_GONE: Final = frozenset({41074, 41075})
RULE_GONE: Final = frozenset({41070, 41071})
NOT_A_PAIR: Final = frozenset({40003, 40096, 60111, 84061})
WELCOME_SPENT: Final = 41050
WELCOME_TAKEN: Final = 41051
WELCOME_UNDER_WAY: Final = 41096
NO_SUCH_GROUP: Final = 90501
DISSOLVED: Final = 49008
TOO_MANY_OWNERS: Final = 81017
NO_SUCH_WELCOME: Final = 41058
NO_SUCH_OPENGID: Final = 90511
NO_SUCH_MEMBER: Final = 60111
NO_SUCH_MOBILE: Final = 46004
NOBODY_TO_TELL: Final = 81013
BAD_MEDIA: Final = 40007
OAUTH_SPENT: Final = frozenset({40029, 42003, 42022})  # never given, too old, or used before
IDS_ONLY: Final = frozenset({48002, 48009, 60011})  # what may not be read by name may be listed by id
BAD_CODE: Final = 40029
BAD_ARGUMENT: Final = 40058
SERVICE_COUNT: Final = 95001
SERVICE_TIME: Final = 95002
NO_SERVICE_ACCOUNT: Final = 95004
SERVICE_ENDED: Final = 95013
SERVICE_WAY: Final = 95016
SERVICE_STATE: Final = 95018
EVERYDAY: Final = frozenset(
    {
        OK,
        NO_CUSTOMER,
        BEING_HANDED_OUT,
        CANCELLED,
        NO_SUCH_WAY,
        WELCOME_SPENT,
        WELCOME_TAKEN,
        WELCOME_UNDER_WAY,
        NO_SUCH_GROUP,
        DISSOLVED,
        NO_SUCH_WELCOME,
        NO_SUCH_OPENGID,
        NO_SUCH_MEMBER,
        NO_SUCH_MOBILE,
        NOBODY_TO_TELL,
        *OAUTH_SPENT,
        MOMENT_NOT_PUBLISHED,
        MOMENT_BEING_HANDED_OUT,
        SERVICE_COUNT,
        SERVICE_TIME,
        SERVICE_ENDED,
        SERVICE_STATE,
    }
)

_HINT = re.compile(r"hint: ?\[([\w-]{1,64})\]")
_CALLER = re.compile(r"from ip: ?([0-9a-fA-F.:]{3,45})")

_TICK_APP = (
    "请在企业微信管理后台「客户联系 → API → 可调用接口的应用」里勾选本应用",
    "In the WeCom admin console, tick this app under 客户联系 → API → 可调用接口的应用",
)
_MEMBER_RANGE = (
    "该成员不在客户联系使用范围或应用可见范围内，请在管理后台把成员加进这两处",
    "The member is outside the customer-contact range or the app's visible range; add the member to both in the admin "
    "console",
)
_OUTSIDE = (
    "成员不在应用可见范围内或已离职，请在管理后台把成员加进应用的可见范围",
    "The member is outside the app's visible range or has left; add the member to the range in the admin console",
)
_TOKEN = (
    "换了新的 access_token 仍被拒绝，请检查是否有别的程序在用同一个应用的 Secret，或重置 Secret 后再填写",
    "A fresh access_token was refused too; check whether another program uses this app's secret, or reset the secret "
    "and enter the new one",
)
_WORDS = (
    "内容含有平台不允许的词，请修改文案后重新创建计划",
    "The content has words that the platform forbids; change the text and plan again",
)
_BAD_RECIPIENTS = (
    "客户 ID 不是本企业本应用的 ID，请重新同步客户后再试",
    "A customer id does not belong to this corp and app; sync the customers again, then retry",
)
_ATTACHMENTS = (
    "附件的数量或类型不符合要求：最多 9 个，类型须为图片、链接、小程序、视频或文件",
    "The attachments break the rules: at most 9, each an image, link, mini-program, video or file",
)
_FILE = (
    "文件的类型或大小不合平台要求：图片 JPG、PNG 至多 10 MB，语音 AMR 至多 2 MB、60 秒，视频 MP4 至多 10 MB，"
    "文件至多 20 MB",
    "The file's kind or size breaks the platform's rules: pictures JPG or PNG up to 10 MB, voice AMR up to 2 MB and "
    "60 s, video MP4 up to 10 MB, files up to 20 MB",
)
_ATTACHED_FILE = (
    "朋友圈附件不合要求：至多 10 MB，图片长边至多 10800、短边至多 1080 像素，视频 MP4 至多 30 秒",
    "The attachment of a Moment breaks the rules: at most 10 MB, pictures at most 10800 by 1080 pixels, video MP4 of "
    "at most 30 seconds",
)
_SPENT_CODE = (
    "登录凭证无效、已用过或已过五分钟，请重新打开页面",
    "The code of this log-in is unknown, used or older than five minutes; open the page again",
)
_UNDER_WAY = (
    "这位客户正在转接中，请等 24 小时后的结果",
    "This customer is being handed over; wait for the result after 24 hours",
)
_SERVICE_ACCOUNT = (
    "没有这个客服账号，可能已被删除，请重新读取客服账号",
    "There is no such service account; it may have been deleted; read the accounts again",
)
_REMEDIES: Final[dict[int, tuple[str, str]]] = {
    40001: (
        "应用 Secret 不对，请从管理后台的应用详情页重新复制（反复使用错误的 Secret，本机 IP 会被封一小时）",
        "The app secret is wrong; copy it again from the app's page in the admin console (repeated wrong secrets get "
        "this machine's IP banned for an hour)",
    ),
    40003: ("成员账号不存在，请重新同步员工", "The member id is wrong; sync the staff again"),
    **dict.fromkeys((40004, 40005, 40006, 40009, 40011, 41005, 45001, 45007), _FILE),
    **dict.fromkeys((41072, 41080, 41081, 41082, 41090), _ATTACHED_FILE),
    **dict.fromkeys(OAUTH_SPENT, _SPENT_CODE),
    BAD_MEDIA: (
        "素材不存在，或上传已过三天，请重新上传",
        "The file is unknown to the platform or was uploaded more than three days ago; upload it again",
    ),
    40056: (
        "应用的 AgentId 不对，请从管理后台的应用详情页重新复制",
        "The app's AgentId is wrong; copy it again from the app's page in the admin console",
    ),
    42052: ("消息发出已超过 24 小时，不能撤回", "The message is older than 24 hours and cannot be taken back"),
    NO_SUCH_MOBILE: (
        "没有这个手机号的成员，请核对（猜错多次会被停用一天）",
        "No member has this telephone number; check it (too many wrong ones shut the call for a day)",
    ),
    48009: (
        "通讯录同步 Secret 在新 IP 上只能读取 ID，请换用自建应用的 Secret",
        "From new addresses the contact-sync secret reads ids alone; use the secret of an app of your own",
    ),
    50001: (
        "页面的域名不是应用的可信域名，请在管理后台的应用详情页「网页授权及 JS-SDK」里加入",
        "The page's domain is not trusted; add it under 网页授权及JS-SDK on the app's page in the admin console",
    ),
    50002: _OUTSIDE,
    60003: ("部门不存在，请重新同步通讯录", "The department does not exist; sync the directory again"),
    NOBODY_TO_TELL: _OUTSIDE,
    660003: _OUTSIDE,
    93000: (
        "群机器人的地址已失效，请从群里重新复制",
        "The address of the group's robot works no more; copy it again from the group",
    ),
    40013: (
        "企业 ID 不对，请从管理后台「我的企业」里复制",
        "The corp id is wrong; copy it from 我的企业 in the admin console",
    ),
    40014: _TOKEN,
    40058: (
        "请求的参数不合平台要求，请检查内容与收件人",
        "A parameter breaks the platform's rules; check content and recipients",
    ),
    40063: ("有参数是空的，请检查内容", "A parameter is empty; check the content"),
    NO_SUCH_TAG: ("企业里没有这个标签，可能已被删除；请重新同步标签", "The corp has no such tag; sync the tags again"),
    TAG_NAME_TAKEN: (
        "同一组里已有同名的标签，请换一个名称",
        "The group has a tag of that name; choose another",
    ),
    40072: ("标签名最多 30 个字", "A tag's name has 30 characters at most"),
    40096: _BAD_RECIPIENTS,
    40126: (
        "企业标签已到上限，请在管理后台删掉不用的标签",
        "The corp has as many tags as it may; delete unused ones in the admin console",
    ),
    40201: _WORDS,
    41001: _TOKEN,
    41041: (
        "一个活码最多 100 位成员，请减少人数",
        "A contact way takes 100 members at most; name fewer",
    ),
    41095: ("获客链接已到上限，请先删掉不用的", "There are as many acquisition links as allowed; delete one first"),
    41098: ("这个获客链接不是本应用创建的", "This acquisition link was made by another app"),
    NO_SUCH_WAY: (
        "平台上没有这个活码，可能已被删除",
        "The platform knows no such contact way; it may have been deleted",
    ),
    40128: (
        "转接过于频繁：一位客户或一个群 90 天内最多在职转接 2 次，一位新群主每天最多接 300 个群",
        "Handed over too often: a customer or a group changes hands on the job twice in 90 days, and a new owner takes "
        "300 groups a day",
    ),
    41055: (
        "入群欢迎语素材已满 100 个，请先删除不用的",
        "There are 100 group welcomes already; delete some that are not used",
    ),
    NO_SUCH_WELCOME: (
        "没有这个入群欢迎语素材，或它由别的应用创建",
        "There is no such group welcome, or another app made it",
    ),
    41091: ("一个群活码最多 5 个群", "A join way takes 5 groups at most"),
    DISSOLVED: ("这个群已经解散", "The group was dissolved"),
    TOO_MANY_OWNERS: (
        "可见成员超过 1000 人，请按群主分批读取",
        "More than 1,000 members are visible; ask by owner, a hundred at a time",
    ),
    90500: ("群主还没有离职，请用在职转接", "The owner has not left; hand the group over on the job"),
    NO_SUCH_GROUP: (
        "这不是本应用能看到的客户群，请重新同步群",
        "This is no customer group that the app can see; sync the groups again",
    ),
    90502: ("群主已经离职，请用离职继承", "The owner has left; hand the group over as a departed member's"),
    90504: ("新群主就是现在的群主", "The new owner is the owner already"),
    90507: ("这个群正在继承中，请稍后再看", "The group is being handed over; look again later"),
    90508: ("这个群已经继承过了", "The group was handed over already"),
    NO_SUCH_OPENGID: ("小程序给的群 ID 无效", "The mini-program's id of the group is invalid"),
    41054: (
        "成员还没有激活，请先让成员登录企业微信",
        "A member is not active yet; let them log in to WeCom first",
    ),
    40097: (
        "原跟进人还没有离职（或已离职超过一年），请改用在职继承",
        "The former member has not left (or left more than a year ago); hand over on the job instead",
    ),
    40098: ("成员还没有实名认证，请先完成认证", "A member has not verified their name; do that first"),
    40099: (
        "接替成员的客户数已到上限，请换一位接替",
        "The taker has as many customers as allowed; choose somebody else",
    ),
    40100: _UNDER_WAY,
    40129: _UNDER_WAY,
    40130: ("接替成员和原跟进人是同一个人，请换一位", "Taker and former member are the same; choose somebody else"),
    40131: (
        "原跟进人已不是这位客户的好友，请重新同步客户",
        "The former member is no longer this customer's friend; sync the customers again",
    ),
    40143: ("接替成员被平台限制，请换一位接替", "The platform restricts the taker; choose somebody else"),
    41047: ("平台上没有这个群发任务", "The platform knows no such task"),
    41048: (
        "这批客户里没有一个可以发送：他们都不是该成员的客户，或本期接收次数已用完",
        "None of these customers can be sent to: none is this member's customer, or all have had their share",
    ),
    CANCELLED: ("这个群发任务已经停止", "This task was cancelled"),
    41056: (
        "这个客户是企业微信用户，没有公众号 openid",
        "This customer is a WeCom user, who has no openid of an official account",
    ),
    41057: (
        "企业没有绑定微信开发者账号，请在管理后台「客户联系 → API」里绑定",
        "The corp has not bound a WeChat developer account; bind it under 客户联系 → API in the admin console",
    ),
    40123: ("平台上没有这个部门，请重新同步通讯录", "There is no such department; sync the directory again"),
    41060: ("平台上没有这条朋友圈，可能已被删除", "The platform knows no such moment; it may have been deleted"),
    41061: ("这条朋友圈没有派给该成员", "The moment was not handed to this member"),
    41067: (
        "这是成员个人发表的朋友圈，不能按企业任务查询或停止",
        "A member published this on their own; it is no task of the corp's",
    ),
    41068: ("一条敏感词规则最多 300 个词，请分成几条", "A rule takes 300 words at most; split it"),
    41069: ("企业最多 100 条敏感词规则，请先删除不用的", "A corp has 100 rules at most; delete some first"),
    41070: ("平台上没有这条敏感词规则", "The platform knows no such interception rule"),
    41071: ("这条敏感词规则已被删除", "This interception rule was deleted"),
    41073: ("商品描述超过 300 个字，请缩短", "The product's description is longer than 300 characters; shorten it"),
    41074: ("这个商品已被删除", "This product was deleted"),
    41075: ("平台上没有这个商品", "The platform knows no such product"),
    41076: (
        "敏感词规则的成员太多，请改用部门",
        "The rule names too many members; name departments instead",
    ),
    41077: ("已有同名的敏感词规则，请换一个名称", "Another rule has this name; choose another"),
    41083: ("敏感词应为 1–32 个字", "A word has 1–32 characters"),
    41085: ("商品编码只能用数字和字母，最多 128 位", "A product's code takes letters and digits, 128 at most"),
    41086: ("商品价格应在 0–50000 元之间", "A product's price is 0–50,000"),
    41087: ("商品描述不能为空", "A product needs a description"),
    41088: ("商品至少要有一张图片", "A product needs a picture"),
    41089: ("朋友圈的文字和附件不能都为空", "A moment needs a text or an attachment"),
    41064: _ATTACHMENTS,
    41065: _ATTACHMENTS,
    41094: (
        "同一任务 24 小时内最多提醒 3 次，请明天再催",
        "A task can be nudged 3 times in 24 hours; nudge again tomorrow",
    ),
    42001: _TOKEN,
    NO_RIGHT: _TICK_APP,
    50003: (
        "应用已被停用，请在管理后台的应用详情页启用",
        "The app is switched off; switch it on on its page in the admin console",
    ),
    50006: (
        "系统应用已被停用，请改用自建应用的 Secret",
        "The system app is switched off; use the secret of an app of your own",
    ),
    50100: ("翻页中途数据变了，请从头再读一次", "The data changed while being paged; read again from the start"),
    60011: _MEMBER_RANGE,
    STRANGE_ADDRESS: (
        "本机的 IP 不在可信名单里，请在管理后台的应用详情页「企业可信 IP」里加入，约一分钟后生效",
        "This machine's IP is not trusted; add it under 企业可信IP on the app's page in the admin console, then wait a "
        "minute",
    ),
    60030: _MEMBER_RANGE,
    60111: ("成员账号不存在或已离职，请重新同步员工", "The member does not exist or has left; sync the staff again"),
    610014: ("unionid 无效，或不是本企业的客户", "The unionid is wrong, or is no customer's of this corp"),
    610018: ("openid 与 unionid 不是同一个人", "The openid and the unionid are not one person's"),
    NO_LICENCE: (
        "成员没有互通许可，请在管理后台购买并分配",
        "The members hold no interconnect licence; buy and assign licences in the admin console",
    ),
    NO_CUSTOMER: (
        "与客户之间没有添加关系，请重新同步客户",
        "There is no relation with the customer; sync the customers again",
    ),
    84074: _MEMBER_RANGE,
    85002: _WORDS,
    301042: (
        "本机的 IP 不在会话内容存档的可信名单里，请在管理后台「会话内容存档」里加入",
        "This machine's IP is not trusted for the session archive; add it under 会话内容存档 in the admin console",
    ),
    301052: (
        "会话内容存档已过期，请在管理后台续费",
        "The session archive has expired; renew it in the admin console",
    ),
    301053: (
        "企业没有开启会话内容存档，请在管理后台开通",
        "The corp has no session archive; open it in the admin console",
    ),
    301059: ("只能查询内部群", "Only rooms of members among themselves can be asked about"),
    95000: _SERVICE_ACCOUNT,
    NO_SERVICE_ACCOUNT: _SERVICE_ACCOUNT,
    95005: ("客服账号已到上限，请先删掉不用的", "There are as many accounts as allowed; delete one first"),
    95006: ("客服账号名称应在 16 个字以内", "The account's name has at most 16 characters"),
    95007: ("回调里的凭证已过 10 分钟，不带它再读一次", "The callback's token is older than 10 min; read without it"),
    95014: (
        "接待人员不在接待中，请让他在企业微信里打开接待，或换一位",
        "The servicer is not serving; let them start serving in WeCom, or name another",
    ),
    SERVICE_WAY: ("会话不能这样转，请先读它现在的状态", "A conversation cannot go that way; read its state first"),
    95017: (
        "这个客服账号没有交给接口管理，请在管理后台「微信客服 → 通过 API 管理」里打开",
        "The account is not managed by API; switch that on under 微信客服 in the admin console",
    ),
    95027: ("企业未认证，最多 10 个客服账号", "An unverified corp has 10 accounts at most"),
}
_OTHERWISE = (
    "平台拒绝了这次调用，请按错误码在 https://developer.work.weixin.qq.com/devtool/query 查询原因",
    "The platform refused this call; look the code up at https://developer.work.weixin.qq.com/devtool/query",
)


def hint_of(errmsg: str) -> str:
    """The platform's id of the request, empty when it gives none. The only part of `errmsg` that is safe in a log."""
    found = _HINT.search(errmsg)
    return found.group(1) if found else ""


def refusal(api: str, errcode: int, errmsg: str) -> RefusedByPlatform:
    """The error for a person: what to do, the request's id and, for 60020, the very IP that must be trusted."""
    zh, en = _REMEDIES.get(errcode, _OTHERWISE)
    caller = _CALLER.search(errmsg) if errcode == STRANGE_ADDRESS else None
    if caller:
        zh, en = f"{zh}：{caller.group(1)}", f"{en}: {caller.group(1)}"
    return RefusedByPlatform(api, errcode, zh, en, hint_of(errmsg))
