"""What the ledger's and the people's codes mean, in sentences. A code without a sentence is shown as it is."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from yutang.console.pages import language
from yutang.profiles.traits import Trait

Words = dict[str, Promise]
_KEPT_BY_ADMINISTRATORS = _("管理员：管理后台 → 通讯录 → 成员资料")

WAYS: Words = {
    "reachable": _("可触达"),
    "never_friend": _("从未加过好友"),
    "lost": _("好友已流失"),
    "silent": _("要求免打扰"),
    "blocked": _("已屏蔽"),
    "refused": _("不同意或已撤回"),
    "unasked": _("还没有问过是否同意"),
}
VALUE_CANNOT: Words = {
    "never_bought": _("从没买过"),
    "few_repeaters": _("再来过的人太少"),
    "short_history": _("要看的期限比历史还长"),
    "identical": _("每次金额都一样，分不出人与人的差别"),
    "no_convergence": _("模型没有收敛"),
    "no_mean": _("金额差别太大，没有可靠的平均"),
    "wrong_before": _("用它预测最近一段，差了一倍以上"),
    "at_a_loss": _("这个品类按成本算没有毛利"),
}
VALUE_PARAMETERS: Words = {
    "r": _("来的快慢在人与人之间差多少：越小差别越大"),
    "α": _("来的快慢的尺度（天）：α ÷ r 是平均间隔"),
    "a": _("每次之后离开的概率：a ÷ (a + b) 是平均"),
    "b": _("a + b 越小，人与人差别越大"),
    "p": _("同一个人每次金额有多稳：越大越稳"),
    "q": _("人与人之间金额差多少：越小差别越大"),
    "v": _("金额的尺度：p v ÷ (q − 1) 是平均每次"),
}
VOICES: Words = {"guide": _("导购口吻"), "store": _("门店口吻"), "brand": _("品牌口吻")}
LADDER_STEPS: Words = {
    "prospect": _("潜客"),
    "customer": _("顾客"),
    "fan": _("粉丝"),
    "loyalist": _("铁杆"),
    "agent": _("代理"),
    "partner": _("合伙人"),
}
ADVICE_LEVELS: Words = {"low": _("低"), "high": _("高"), "very_high": _("极高")}
YARDSTICKS: Words = {"frequency": _("频次"), "price": _("价格"), "cognition": _("认知")}
UNKNOWN: Words = {
    "few_buyers": _("买的人太少"),
    "short": _("看的时间太短"),
    "unanswered": _("三个问题还没回答"),
}
SUPER_SIGNS: Words = {
    "repeat": _("复购"),
    "spend": _("消费高"),
    "loyalty": _("忠诚"),
    "sharing": _("分享"),
}
QUESTIONS: Words = {
    "asks": _("买之前会问吗"),
    "talks": _("彼此会聊吗"),
    "once": _("一辈子只买一次吗"),
}
FEES_UNTOLD: Words = {
    **VALUE_CANNOT,
    "unscored": _("三种价值还没有算过。"),
    "untried": _("历史太短，预计花多少还没拿过去检验过。"),
    "horizon": _("三种价值看的不是一年，和年费比不了。"),
    "few": _("有潜在价值的超级用户不到 10 位。"),
}
FLOW_STEPS: Words = {
    "bought": _("没买过 → 首购"),
    "again": _("买过一次 → 再买"),
    "wider": _("再买过 → 买别的品类"),
    "brought": _("买过别的品类 → 带来朋友"),
}
CAUSES: Words = {
    "traffic": _("客流"),
    "conversion": _("转化"),
    "buyers": _("顾客数"),
    "frequency": _("频次"),
    "basket": _("客单价"),
}
NEXT_MEASURES: Words = {
    "first_1": _("第一个猜对"),
    "first_3": _("前三个里猜对的"),
    "rank": _("排名倒数的均值"),
}
PLACES: Words = {"chat": _("一对一聊天"), "group": _("客户群"), "moments": _("朋友圈")}
CONTENT_KINDS: Words = {
    "text": _("文字"),
    "pictures": _("图片"),
    "link": _("链接卡片"),
    "mini_program": _("小程序卡片"),
    "video": _("视频"),
    "file": _("文件"),
}
APPROVALS: Words = {
    "draft": _("草稿"),
    "submitted": _("待审核"),
    "approved": _("已通过"),
    "refused": _("已退回"),
    "free": _("可用"),
}
DRILL_LEVELS: Words = {"account": _("账号"), "corp": _("企业"), "channel": _("渠道")}
DRILL_WAYS: Words = {
    "same_corp": _("同企业的其他账号"),
    "other_corp": _("其他企业的账号"),
    "wecom": _("企业微信"),
    "manual": _("导购电话或当面联系"),
    "sms": _("短信"),
    "email": _("邮件"),
    "oa": _("公众号"),
    "miniprogram": _("小程序"),
    "webhook": _("自有系统"),
}
WHAT_HELPS: Words = {
    "never_friend": _("收银时请导购出示活码，加为好友。"),
    "lost": _("只有客户自己能再加回来：包裹卡、门店海报留一个入口。"),
    "silent": _("尊重；不做任何事。"),
    "blocked": _("不触达；投诉或删除正在处理。"),
    "refused": _("尊重；客户主动再次同意之前不发营销。"),
    "unasked": _("在服务性消息里问一次，把凭证留下。"),
}
PERSONA: Words = {
    "avatar": _("头像"),
    "alias": _("昵称（别名）"),
    "position": _("职务"),
    "qr_code": _("个人二维码"),
    "external_position": _("对外职务"),
    "external_corp_name": _("对外企业简称"),
    "external_attr": _("对外名片栏目"),
}
WHO_FILLS: Words = {
    "avatar": _("本人：企业微信 → 我 → 头像"),
    "alias": _KEPT_BY_ADMINISTRATORS,
    "position": _KEPT_BY_ADMINISTRATORS,
    "qr_code": _("本人：激活账号后自动生成"),
    "external_position": _("管理员或本人：对外信息显示 → 对外职务"),
    "external_corp_name": _("管理员：我的企业 → 企业简称"),
    "external_attr": _("管理员设栏目，本人：我 → 对外信息显示 填内容"),
}
SIGNS: Words = {
    "disabled": _("被禁用"),
    "left": _("已离职，还有好友"),
    "not_activated": _("未激活"),
    "switched_off": _("已停用，还有好友"),
    "full": _("好友快满，加不进来"),
    "deleted": _("被客户删得多"),
    "nearly_full": _("好友接近上限"),
    "untapped": _("多数任务没点"),
    "owing": _("任务积压"),
    "spent": _("今日群发额度将尽"),
    "much": _("发得太多"),
    "idle": _("长期没有动静"),
    "incomplete": _("名片没填全"),
}
WHAT_TO_DO: Words = {
    "disabled": _("查封号或禁用原因；先把好友转给同店导购。"),
    "left": _("在「客户继承」里把好友转给同店导购，一年内有效。"),
    "not_activated": _("请本人在企业微信里激活，否则加不了客户。"),
    "switched_off": _("重新启用，或把好友转走。"),
    "full": _("清理僵尸好友，或在管理后台申请提高上限。"),
    "deleted": _("看最近发了什么，先停群发，改成一对一。"),
    "nearly_full": _("提前申请提高上限，新客引到别的导购。"),
    "untapped": _("问原因；没空就换人发。"),
    "owing": _("催办，或减少任务。"),
    "spent": _("今天别再给这个账号派任务。"),
    "much": _("少发，留给客户主动回复。"),
    "idle": _("确认人还在岗；不在就转走好友。"),
    "incomplete": _("按缺项请人填全。"),
}
LEVELS: Words = {"risk": _("有风险"), "watch": _("要留意"), "fine": _("正常")}
TRUST: Words = {
    "above": _("高于中位"),
    "below": _("低于中位"),
    "unclear": _("还看不出高低"),
    "too_few": _("好友太少，还看不出"),
    "nobody": _("看不出导购之间的差别"),
}
CHECKS: Words = {
    "good": _("通了"),
    "bad": _("要处理"),
    "missing": _("没有开通"),
    "skipped": _("没有试"),
}
REASONS: Words = {
    "relation": _("没有在线好友关系：从未加过，或已被删除，发不出去。"),
    "no_address": _("没有这个渠道的联系方式（手机号、邮箱等），发不到。"),
    "consent": _("没有同意接收这类消息（没问过、不同意或已撤回）。"),
    "preference": _("客户要求免打扰，或在偏好里拒绝了这个主题或渠道。"),
    "silent": _("发送前一刻复核：客户刚要求免打扰。"),
    "merged": _("发送前一刻复核：与计划里的另一位客户是同一个人。"),
    "blocked": _("发送前一刻复核：客户已被屏蔽（投诉或删除中）。"),
    "content": _("文案碰了红线，整个计划谁都不发。"),
    "risk": _("风险分超过规则允许的上限。"),
    "grace_period": _("刚加好友不久，宽限期（默认 3 天）内不推销。"),
    "quiet_hours": _("截止前没有可以打扰的时段（默认当地 9:00–21:30）。"),
    "value_ratio": _("近 30 天推销已经够多，要先给一次有用的内容。"),
    "sender_choice": _("认识她的导购账号都停用了，没有合适的人来说。"),
    "caps": _("近期收到的消息已到频次上限（默认每天 1、每周 3、每月 8 条）。"),
    "capacity": _("计划限定的人数已满，名额给了更优先的人。"),
    "platform_quota": _("平台给导购账号的发送额度当天用完了。"),
    "tap_budget": _("导购当天的群发任务已满（默认 2 个），不再加派。"),
    "not_friend": _("平台回复：已不是好友。"),
    "capped": _("平台回复：客户本期的接收次数已用完。"),
    "unsent": _("平台回复：未发送。"),
    "refused": _("服务商拒绝发送。"),
    "bounced": _("地址无效，消息被退回。"),
    "withdrawn": _("发送前一刻复核：客户刚要求不再收到。"),
    "not_reached": _("导购试过，没联系上。"),
}
OFF_GATE_KINDS: Words = {
    "mass": _("群发给客户"),
    "group": _("发到客户群"),
    "moments": _("发朋友圈"),
}
OUTCOMES: Words = {
    "sent": _("已发送"),
    "pending": _("等待导购确认"),
    "failed": _("发送失败"),
    "expired": _("导购未执行，已过期"),
    "unknown": _("平台没有回音，正在核对"),
    "suppressed": _("没有触达"),
    "held_out": _("对照组"),
    "globally_held_out": _("全局对照组"),
}
GROUP_STATES: Words = {
    "followed": _("群主在跟进"),
    "owner_left": _("群主已离职，等待继承"),
    "handing_over": _("正在继承"),
    "handed_over": _("已继承"),
}
GROUP_SCENES: Words = {
    "0": _("不知道"),
    "1": _("被邀请"),
    "2": _("邀请链接"),
    "3": _("扫群码"),
}
GROUP_WAY_STATES: Words = {
    "wanted": _("平台生成中"),
    "calling": _("平台生成中"),
    "live": _("可用"),
    "ending": _("正在停用"),
    "ended": _("已停用"),
    "gone": _("平台上已没有"),
}
IMPORT_STATES: Words = {
    "uploaded": _("等你确认"),
    "waiting": _("排队中"),
    "reading": _("正在读取"),
    "appending": _("正在入库"),
    "done": _("已导入"),
    "dry_run": _("已检查"),
    "refused": _("没有导入"),
    "abandoned": _("已中断"),
    "cancelled": _("已取消"),
}
IMPORT_STAGES: Words = {
    "reading": _("读取并检查"),
    "writing": _("整理"),
    "appending": _("入库"),
}
EXPLAINED: Words = {
    "held_out": _("抽到这个计划的对照组：故意不发，用来和收到的人比较。"),
    "globally_held_out": _("在全局对照组里：任何营销都不发，用来衡量全部营销的效果。"),
    "expired": _("导购在截止前没有点发送，任务已取消；如还有下一次机会会重新过闸。"),
    "unknown": _("下发时平台没有回音；核对清楚之前不会再发，以免重复。"),
    "pending": _("已排给导购，等他点发送。"),
    "sent": _("消息已送达。"),
    "failed": _("平台没有发出去。"),
}
LIFECYCLES: Words = {
    "prospect": _("潜客"),
    "new": _("新客"),
    "active": _("活跃"),
    "silent": _("沉默"),
    "lapsed": _("流失"),
}
RADAR_STATES: Words = {
    "hit": _("已用完"),
    "warned": _("快到了"),
    "untold": _("还看不出"),
    "fine": _("还远"),
}
RADAR_SOURCES: Words = {
    "read": _("平台接口"),
    "counted": _("我们数的"),
    "entered": _("手工填写"),
}
RADAR_ENTRIES: Words = {
    "licence": _("到期的许可或服务"),
    "contacts": _("买的外部联系人规模"),
    "balance": _("短信、邮件账户余额"),
    "other": _("别的额度"),
}
ZOMBIES: Words = {
    "deleted": _("已删除导购"),
    "blocked": _("已屏蔽"),
    "zombie": _("僵尸"),
}
ANSWERS: Words = {
    "due": _("待发送"),
    "doing": _("发送中"),
    "unknown": _("没有回音，正在核对"),
    "sent": _("已送达平台"),
    "failed": _("没有送达"),
    "refused": _("没有发出"),
}
HANDED: Words = {
    "order": _("订单和售后"),
    "goods": _("问商品"),
    "visit": _("想到店"),
    "complaint": _("投诉"),
    "other": _("别的事"),
}
POOLS: Words = {"nurturing": _("潜客池"), "customer": _("成交池"), "none": _("不在池中")}
IDENTIFIERS: Words = {
    "member": _("会员号"),
    "external_userid": _("企业微信"),
    "unionid": _("unionid"),
    "openid": _("openid"),
    "phone": _("手机号"),
    "email": _("邮箱"),
    "device": _("设备"),
    "address": _("地址"),
}
ROLES: Words = {
    "owner": _("所有者"),
    "operator": _("总部运营"),
    "manager": _("店长"),
    "guide": _("导购"),
    "analyst": _("分析师"),
}
KINDS: Words = {
    "segment": _("客户分群"),
    "broadcast": _("群发"),
    "content": _("内容"),
    "content_rules": _("文案红线"),
    "policy": _("触达规则"),
    "contact_way": _("活码"),
    "reflex": _("反应规则"),
    "event_type": _("事件类型"),
    "webhook": _("推送来源"),
}
LIST_STATES: Words = {"open": _("进行中"), "handed_in": _("已交回"), "over": _("已结束")}
LEADS: Words = {"new": _("新线索"), "contacted": _("已联系"), "won": _("成交"), "lost": _("放弃")}
PARCELS: Words = {
    "due": _("等待投递"),
    "doing": _("正在投递"),
    "sent": _("已送达"),
    "dead": _("死信"),
}
LETTERS: Words = {
    "queued": _("等待"),
    "sending": _("正在发"),
    "sent": _("已发出"),
    "delivered": _("确认送达"),
    "bounced": _("退回"),
    "refused": _("被拒"),
    "unknown": _("不明"),
    "cancelled": _("已取消"),
}
OFF: Words = {
    "by_hand": _("已停用"),
    "failing": _("连续失败，已自动停用"),
    "gone": _("对方说地址已失效（410），已自动停用"),
}
PURPOSES: Words = {"marketing": _("营销"), "service": _("服务")}
DOORS: Words = {
    "": _("未注明"),
    "public": _("客户自己（偏好页）"),
    "console": _("手工记录"),
    "demo": _("演示数据"),
}
HOLDINGS: Words = {
    "persons": _("身份（合并前）"),
    "identifiers": _("身份标识"),
    "consents": _("同意与撤回"),
    "preferences": _("偏好"),
    "relations": _("好友关系"),
    "tags": _("标签"),
    "scopes": _("可见门店"),
    "events": _("经历"),
    "orders": _("订单"),
    "decisions": _("触达决定"),
    "segment_changes": _("分群进出"),
}
ERASURES: Words = {
    "asked": _("客户要求"),
    "withdrawn": _("撤回了同意"),
    "unlawful": _("当初不该收集"),
    "expired": _("保存期已满"),
    "restored": _("恢复备份后再次删除"),
}
STEPS: Words = {
    "people": _("等待清除身份"),
    "traces": _("清除暂存的消息"),
    "inbox": _("清除收件箱"),
    "warehouse": _("重写仓库"),
    "pages": _("清除旧页面"),
    "done": _("已删除"),
}
SOURCES: Words = {
    "package_card": _("包裹卡"),
    "poster": _("海报"),
    "store": _("门店台卡"),
    "ad": _("广告"),
    "live_room": _("直播间"),
    "partner": _("异业伙伴"),
    "inviter": _("老客邀请"),
    "other": _("其他"),
}
HANDOVERS: Words = {
    "wanted": _("等待发起"),
    "calling": _("正在发起"),
    "unknown": _("正在核对"),
    "waiting": _("等客户，24 小时后自动完成"),
    "done": _("已接替"),
    "refused": _("客户拒绝"),
    "full": _("接替的员工客户已满"),
    "impossible": _("平台没有接受"),
}
ACTS: Words = {
    "welcome": _("欢迎语"),
    "tag": _("打标签"),
    "assign": _("分配"),
    "follow_up": _("跟进"),
}
ACT_STATES: Words = {
    "due": _("待做"),
    "doing": _("正在做"),
    "done": _("已做"),
    "missed": _("错过时限"),
    "refused": _("没有做（规则或条件不允许）"),
    "failed": _("平台拒绝"),
    "unknown": _("说不清做没做"),
}
DECISIONS: Words = {
    "merge": _("合并"),
    "split": _("拆分"),
    "apart": _("不是同一人"),
    "later": _("以后再看"),
    "shared": _("共用标识"),
    "single": _("一人专用"),
}
AGREE: Words = {
    "name": _("姓名"),
    "phone": _("手机号"),
    "mailbox": _("邮箱名"),
    "store": _("归属门店"),
    "bought": _("买过的商品"),
}
HOW_FAR: Words = {
    "name same": _("相同"),
    "name alike": _("相近"),
    "name other": _("不同"),
    "phone one_digit": _("只差一位"),
    "phone same_end": _("后八位相同"),
    "phone same_last_4": _("后四位相同"),
    "phone other": _("不同"),
    "mailbox same": _("@ 前相同"),
    "mailbox other": _("不同"),
    "store same": _("相同"),
    "store other": _("不同"),
    "bought much": _("大半重合"),
    "bought some": _("有重合"),
    "bought other": _("没有重合"),
}
SHIFT_DAYS: Words = {"all": _("每天"), "weekdays": _("工作日"), "weekend": _("周末")}
BATCHES: Words = {
    "unknown": _("平台没有回音，正在自动核对"),
    "ambiguous": _("平台上有几个相同的任务，需要人来认"),
}
WHY_NOT: Words = {
    "on_leave": _("休假或不在岗"),
    "wrong_customers": _("客户不对"),
    "text_not_fitting": _("文案不合适"),
    "too_many": _("任务太多"),
    "other": _("其他原因"),
}
LEFT_OUT: Words = {
    "quiet": _("现在是员工的休息时间"),
    "often": _("今天催的次数已满"),
    "pause": _("刚催过，还没到间隔"),
    "excused": _("已说明原因"),
    "no_account": _("没有企业微信账号，发不了应用消息"),
    "no_agent": _("所在企业没有填写应用的 AgentId"),
    "reminded": _("平台提醒今天已用完 3 次，或任务不明"),
    "away": _("账号已停用"),
}
CALLS: Words = {
    "due": _("等待发送"),
    "calling": _("正在发送"),
    "done": _("已送出"),
    "refused": _("没有送到"),
    "unknown": _("没有答复"),
    "dropped": _("不用发了"),
}
CALL_KINDS: Words = {"message": _("应用消息"), "remind": _("平台提醒")}
STANDINGS: Words = {
    "planned": _("还没下发"),
    "doubtful": _("下落不明"),
    "waiting": _("等导购点发送"),
    "executed": _("已按时执行"),
    "late": _("逾期才执行"),
    "expired": _("到期未执行"),
    "withdrawn": _("计划停止，已撤回"),
    "unissued": _("没有下发"),
}
SCOPES: Words = {
    "events:write": _("写入事件"),
    "read": _("读取"),
    "plans:write": _("下发计划"),
    "persons:write": _("合并和拆分客户"),
}


def unit(trait: Trait, count: float | None) -> str:
    """The word of a trait's unit beside a number of them; nothing for a unit that is not worded."""
    few = 1 if count == 1 else 2
    if trait.words is not None:
        return trait.words[1 if language().startswith("en") else 0]
    match trait.unit:
        case "orders":
            return ngettext("单", "单", few)
        case "days":
            return ngettext("天", "天", few)
        case "categories":
            return ngettext("类", "类", few)
        case "persons":
            return ngettext("位", "位", few)
    return ""


def said(words: Words, code: object) -> str:
    """The sentence of a code, in the reader's language."""
    return str(words.get(str(code), code))
