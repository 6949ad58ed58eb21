"""上次活动真有用吗: the campaigns that the data tell of, and any list of persons, against purchases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yutang.kernel.calendars import aware, day_start, local_day
from yutang.kernel.clock import business_now
from yutang.kernel.errors import BadInput, NotFound
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.profiles.remembered import Remembered
from yutang.review.contracts import DEFAULT_DAYS, LONGEST, SHORTEST, PastCampaign, Readiness, Window
from yutang.review.difference import difference_of_differences
from yutang.warehouse.contracts import Statement, Warehouse, named

Persons = npt.NDArray[np.int64]
_CAMPAIGNS: Remembered[list[PastCampaign]] = Remembered()
YEARS = range(1990, 2100)  # those in which an event may happen


def past_campaigns(warehouse: Warehouse, viewer: Viewer) -> list[PastCampaign]:
    """Every campaign whose targeting stands in the log, the latest first, each judged in its own window.

    Judged once per refresh of profiles, viewer's scope and day; a campaign is over at the end of a day.
    """
    key = (viewer.nodes, local_day(business_now(), brand().zone))
    return list(_CAMPAIGNS.answer(warehouse, key, lambda: _all_judged(warehouse, viewer)))


def _all_judged(warehouse: Warehouse, viewer: Viewer) -> list[PastCampaign]:
    found = _known(warehouse, viewer)
    windows = {name: window for name, (window, _) in found.items()}
    lists = _lists(warehouse, list(windows))
    sizes = {name: targeted for name, (_, targeted) in found.items()}
    judged = _judged(warehouse, viewer, windows, lists, sizes)
    return sorted(judged, key=lambda campaign: (campaign.window.first, campaign.name), reverse=True)


def past_campaign(warehouse: Warehouse, viewer: Viewer, name: str, days: int | None = None) -> PastCampaign:
    """One campaign of the log; `days` gives it another window. Raises NotFound, and BadInput for an odd `days`."""
    found = _known(warehouse, viewer)
    if name not in found:
        raise NotFound(f"数据里没有名为「{name[:60]}」的活动。", f"The data know no campaign “{name[:60]}”.")
    window, targeted = found[name]
    if days is not None:
        window = window_of(window.first, days)
    return _judged(warehouse, viewer, {name: window}, _lists(warehouse, [name]), {name: targeted})[0]


def judge_list(
    warehouse: Warehouse, viewer: Viewer, name: str, persons: Sequence[PersonId], first: date, days: int = DEFAULT_DAYS
) -> PastCampaign:
    """A list of who was targeted, from its first day. Nothing is kept. Raises BadInput for an odd `days`."""
    chosen = np.unique(np.array(persons, dtype=np.int64))
    window = window_of(first, days)
    return _judged(warehouse, viewer, {name: window}, {name: chosen}, {name: len(chosen)})[0]


def window_of(first: date, days: int) -> Window:
    """The window of so many days from a first day. Raises BadInput."""
    if not SHORTEST <= days <= LONGEST:
        raise BadInput(
            f"观察天数应在 {SHORTEST} 到 {LONGEST} 之间，而不是 {days}。",
            f"The window has between {SHORTEST} and {LONGEST} days, not {days}.",
        )
    if first.year not in YEARS:
        raise BadInput(
            f"活动的第一天应在 {YEARS[0]} 到 {YEARS[-1]} 年之间，而不是 {first}。",
            f"The campaign's first day is between {YEARS[0]} and {YEARS[-1]}, not {first}.",
        )
    return Window(first, first + timedelta(days=days - 1))


def _known(warehouse: Warehouse, viewer: Viewer) -> dict[str, tuple[Window, int]]:
    rows = warehouse.query(_seen_by(viewer, "review/campaigns", {"zone": brand().zone})).to_pylist()
    return {row["campaign"]: (_own_window(row["first_day"], row["last_day"]), row["targeted"]) for row in rows}


def _own_window(first: date, last_day: str | None) -> Window:
    try:
        last = date.fromisoformat(last_day or "")
        if last.year not in YEARS:  # one event that said 9999-12-31 closed the page of all campaigns
            raise ValueError(last)
    except ValueError:
        last = first + timedelta(days=DEFAULT_DAYS - 1)
    return Window(first, max(first, last))


def _lists(warehouse: Warehouse, names: list[str]) -> dict[str, Persons]:
    wanted = pa.table({"campaign": pa.array(names, pa.string())})
    rows = warehouse.query(named("review/targeted", tables={"wanted": wanted}))
    campaign, person = rows["campaign"].to_numpy(), rows["person"].to_numpy()
    return {name: person[campaign == name] for name in names}


def _judged(
    warehouse: Warehouse,
    viewer: Viewer,
    windows: Mapping[str, Window],
    lists: Mapping[str, Persons],
    sizes: Mapping[str, int],
) -> list[PastCampaign]:
    """Compare, in each window, the listed with all others who ever bought and whom the viewer may see."""
    zone = brand().zone
    bounds = warehouse.query(named("review/first_order")).to_pylist()[0]
    data_from, invented_from = (_local(bounds[name], zone) for name in ("first_at", "invented_at"))
    states = {name: _readiness(window, data_from, invented_from, zone) for name, window in windows.items()}
    everyone: Persons = warehouse.query(_seen_by(viewer, "review/buyers"))["person"].to_numpy()
    judged = []
    for name, window in windows.items():
        state, difference = states[name], None
        if state is Readiness.READY:
            listed = np.isin(everyone, lists[name])
            if listed.any() and not listed.all():
                difference = difference_of_differences(*_spend(warehouse, window, everyone, zone), listed)
            else:
                state = Readiness.NO_COMPARISON
        judged.append(PastCampaign(name, window, sizes[name], state, data_from, difference))
    return judged


def _readiness(window: Window, data_from: date | None, invented_from: date | None, zone: str) -> Readiness:
    if day_start(window.last + timedelta(days=1), zone) > business_now():
        return Readiness.STILL_RUNNING
    if data_from is None or window.before_first < data_from:
        return Readiness.NO_BEFORE
    return Readiness.INVENTED if invented_from and window.last >= invented_from else Readiness.READY


def _local(at: datetime | None, zone: str) -> date | None:
    return local_day(aware(at), zone) if at else None


def _spend(
    warehouse: Warehouse, window: Window, everyone: Persons, zone: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What everyone spent during a window and before it, in the order of `everyone`."""
    params = {
        "before": day_start(window.before_first, zone),
        "start": day_start(window.first, zone),
        "until": day_start(window.last + timedelta(days=1), zone),
    }
    rows = warehouse.query(named("review/spend_around", params))
    person = rows["person"].to_numpy()
    during, before = np.zeros(len(everyone)), np.zeros(len(everyone))
    if not len(everyone):
        return during, before
    spot = np.minimum(np.searchsorted(everyone, person), len(everyone) - 1)
    mine = everyone[spot] == person
    during[spot[mine]] = rows["during"].to_numpy()[mine]
    before[spot[mine]] = rows["before"].to_numpy()[mine]
    return during, before


def _seen_by(viewer: Viewer, name: str, params: Mapping[str, object] | None = None) -> Statement:
    """The named query narrowed to what a viewer may see."""
    nodes = pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())})
    return named(name, {**(params or {}), "sees_all": viewer.sees_all}, {"seen": nodes})
