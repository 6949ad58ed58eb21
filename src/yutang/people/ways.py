"""By which channels marketing may reach whom: one query (`people/ways`), asked of these contacts or of those."""

from __future__ import annotations

from functools import cache

from sqlglot import exp

from yutang.people.contracts import FactTables
from yutang.warehouse.contracts import Statement, load_sql
from yutang.warehouse.dialects import parse


def reachable_over(contacts: str, *columns: str) -> exp.Query:
    """Of the rows (`person`, `channel`, `live`) of a table those by which a person may be reached, with these of their
    columns more, each once."""
    query = parse(load_sql("people/ways"))
    assert isinstance(query, exp.Select)
    for table in query.find_all(exp.Table):
        if table.name == "contacts":
            table.set("this", exp.to_identifier(contacts))
    return query.select(*[exp.column(name, "contact") for name in columns]).distinct()


def tell_ways(facts: FactTables) -> list[Statement]:
    """What fills `fact_ways` of the persons of these tables."""
    if not facts.contacts.num_rows or not facts.fact_consents.num_rows:
        return []
    tables = {
        "contacts": facts.contacts,
        "facts": facts.facts.select(["person", "blocked", "silent"]),
        "fact_consents": facts.fact_consents.select(["person", "purpose", "channel", "granted"]),
        "fact_preferences": facts.fact_preferences.select(["person", "kind", "name"]),
    }
    return [Statement(_telling(), tables=tables, name="people/tell_ways")]


@cache
def _telling() -> str:
    select = parse(load_sql("people/tell_ways"))
    assert isinstance(select, exp.Select)
    select = select.with_("ways", as_=reachable_over("contacts", "friend"))
    columns = [exp.to_identifier(name) for name in select.named_selects]
    return exp.insert(select, "fact_ways", columns=columns).sql(dialect="duckdb", identify=True)
