"""Lists of people and what is known of them: the events that their rows come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa

from yutang.intake.files.contracts import Rows
from yutang.intake.kinds.contracts import BadRow, Context, Kind, Line, Told
from yutang.intake.kinds.fields import field
from yutang.intake.parsing import SCIENTIFIC, scientific, text, time_trouble, times
from yutang.intake.refused import RefusedRows
from yutang.kernel.encryption import keyring
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import EventId
from yutang.log.contracts import Event, IdentifierValue, said
from yutang.log.vocabulary import check
from yutang.people.identifiers import is_strong, normalised

_START = datetime(1970, 1, 1, tzinfo=UTC)
_sorted_json = msgspec.json.Encoder(order="sorted").encode


def events_of(
    rows: Rows, columns: Mapping[str, pa.Array], kind: Kind, context: Context, *, zone: str, source: str, corp: str,
    synthetic: bool, refused: RefusedRows,
) -> list[Event]:  # fmt: skip
    """The events of a block's rows; a row of which one cannot be is refused whole, for the first thing wrong with it.

    Member numbers are of `source`, external_userids and openids of `corp`. An event's id is made of what it says, so
    that the same row again changes nothing.
    """
    words = {name: text(column) for name, column in columns.items()}
    given = {name: column.to_pylist() for name, column in words.items()}
    stamps = {name: times(columns[name], zone) for name in columns if field(name).is_time}
    at = {name: values.tolist() for name, (values, _) in stamps.items()}
    no_time = {name: bad.tolist() for name, (_, bad) in stamps.items()}
    shortened = {name: scientific(words[name]).tolist() for name in kind.identity if name in words}
    spaces = {"member": source, "external_userid": corp, "openid": corp}
    result: list[Event] = []
    for index, row in enumerate(rows.tolist()):
        line = {name: values[index] for name, values in given.items() if values[index]}
        try:
            _refuse_missing(line, kind)
            for name, bad in no_time.items():
                if bad[index] and name in line:
                    raise BadRow(name, time_trouble(line[name]))
            for name, short in shortened.items():
                if short[index]:
                    raise BadRow(name, SCIENTIFIC)
            who = tuple(
                IdentifierValue(name, spaces.get(name, ""), line[name]) for name in kind.identity if name in line
            )
            _refuse_nobody(who, context.facts.country)
            moments = {name: _START + timedelta(microseconds=at[name][index]) for name in at if name in line}
            assert kind.tell is not None
            told = [_event(one, who, source, synthetic) for one in kind.tell(Line(line, moments, who), context)]
            for event in told:
                check(event)
        except BadRow as wrong:
            refused.add(row, wrong.field, line.get(wrong.field, ""), *wrong.why)
        except BadInput as error:  # the sentence may quote what stands in the file: only what is wrong is kept
            refused.add(
                row, "", "", error.zh.partition("的 ")[2] or "不能导入", error.en.partition(", ")[2] or "not usable"
            )
        else:
            result += told
    return result


def _refuse_missing(line: Mapping[str, str], kind: Kind) -> None:
    for name in kind.required:
        if name not in line:
            raise BadRow(name, (f"缺少{field(name).zh}", f"the {field(name).en} is missing"))


def _refuse_nobody(who: Sequence[IdentifierValue], country: str) -> None:
    """Refuse a row that names nobody, or whom only by what is no possible phone number."""
    if not who:
        raise BadRow("member", ("没有一项说明是哪位客户", "it does not say which person"))
    if not any(is_strong(normalised(one, country)) for one in who):
        raise BadRow(who[0].kind, ("不是可能的手机号", "it is no possible phone number"))


def _event(told: Told, who: tuple[IdentifierValue, ...], source: str, synthetic: bool) -> Event:
    props = {**told.props, "synthetic": True} if synthetic and told.type in _MARKED else told.props
    made = keyring().lookup_hash(
        "event", source, told.type, told.at.isoformat(), said(who), told.store or "", told.staff or "",
        _sorted_json(dict(told.props)).decode(),
    )  # fmt: skip
    return Event(
        id=EventId(f"row:{source}:{made.hex()}"),
        type=told.type,
        occurred_at=told.at,
        identifiers=who,
        store=told.store,
        staff=told.staff,
        source=source,
        props=props,
    )


_MARKED = frozenset(("person.seen", "consent.given", "consent.withdrawn", "relation.added"))
"""Types that can say that somebody made them up."""


def unknown_stores(events: Sequence[Event], known: Mapping[str, int]) -> Iterator[str]:
    """The stores named that the tree does not know."""
    for event in events:
        if event.store and event.store not in known:
            yield event.store
