"""The channels of the corps that are connected now, as each room's port. One client per corp and app is kept, so that
tokens and rate limits are shared by all who speak through it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from yutang.channels.capabilities import MANUAL
from yutang.channels.direct.outbox import Outbox
from yutang.channels.direct.registry import kinds
from yutang.channels.manual.mass_send import ManualMassSend
from yutang.channels.ports.inheritance import ACQUISITION
from yutang.channels.shared import DatabaseBlocks, DatabaseTokens
from yutang.channels.sync.contracts import Connection
from yutang.channels.wecom.acquisition import WeComAcquisition
from yutang.channels.wecom.client import WeComClient
from yutang.channels.wecom.contact_ways import WeComContactWays, WeComWelcome
from yutang.channels.wecom.directory import WeComVisitors
from yutang.channels.wecom.groups import WeComJoinWays
from yutang.channels.wecom.jssdk import WeComPages
from yutang.channels.wecom.kf import WeComService
from yutang.channels.wecom.mass_send import WeComMassSend
from yutang.channels.wecom.media import WeComMedia
from yutang.channels.wecom.messages import WeComStaffMessages
from yutang.channels.wecom.moments import WeComMoments
from yutang.channels.wecom.tokens import MemoryTokenStore
from yutang.channels.wecom.transfers import WeComTransfers
from yutang.intake.pulses import alive
from yutang.kernel.clock import monotonic
from yutang.kernel.database import is_shared
from yutang.organisation.queries import OWNER, channel_accounts, corps, senders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yutang.channels.kf.contracts import ServicePorts
    from yutang.channels.ports.moments import MomentsPort
    from yutang.channels.ports.staff import StaffMessagePort
    from yutang.channels.sync.contracts import Connections
    from yutang.connect.group_ways import GroupWayPorts
    from yutang.connect.inheritance import TransferPorts
    from yutang.connect.services import WayPorts
    from yutang.organisation.contracts import CorpFacts
    from yutang.reach.issuing import Ports
    from yutang.reflex.contracts import WelcomePorts

T = TypeVar("T")
WECOM = "wecom"
WORKER, CLOCK = "worker", "clock"  # the processes that call platforms, where they run apart
COUNTED_FOR = 10.0  # seconds for which they are not counted again


class Channels:
    """The connectors; `sandbox` is where our own sandbox answers. Safe to ask from any thread.

    `shared`: tokens and blocks are those of all processes, and each takes its share of the platform's rates.
    `only_reached`: leave out the corps in a sandbox, because it does not answer where this process is.
    """

    def __init__(self, sandbox: str, *, shared: bool = False, only_reached: bool = False) -> None:
        self._sandbox = sandbox
        self._shared = shared
        self._only_reached = only_reached
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str], WeComClient] = {}
        self._counted_at = float("-inf")

    @property
    def sandbox(self) -> str:
        """Where our own sandbox answers."""
        return self._sandbox

    def mass_send(self) -> Ports:
        """For `reach`: WeCom, the lists that people work by hand, and the channels by which the brand speaks itself."""
        direct = {(one.channel, one.corp): Outbox(one) for one in channel_accounts() if one.kind in kinds()}
        by_hand = {one.corp for one in senders(OWNER) if one.channel == MANUAL.channel}
        lists = {(MANUAL.channel, corp): ManualMassSend(corp) for corp in by_hand}
        return {**self._each(WeComMassSend), **lists, **direct}

    def contact_ways(self) -> WayPorts:
        """For `connect`."""
        links = {(ACQUISITION, corp): port for (_, corp), port in self._each(WeComAcquisition).items()}
        return {**self._each(WeComContactWays), **links}

    def join_ways(self) -> GroupWayPorts:
        """For `connect`: codes that lead into groups."""
        return self._each(WeComJoinWays)

    def welcomes(self) -> WelcomePorts:
        """For `reflex`."""
        return self._each(WeComWelcome)

    def client(self, corp: CorpFacts) -> WeComClient:
        """The one client of a corp's app at where it answers."""
        base = corp.address or f"{self._sandbox}/cgi-bin/"
        key = (corp.corp, corp.secret, base)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._made(corp, base)
            return self._clients[key]

    def _made(self, corp: CorpFacts, base: str) -> WeComClient:
        if not self._shared:
            return WeComClient(base, corp.corp, corp.secret, token_store=MemoryTokenStore())
        scope = f"{WECOM}:{corp.corp}:{'sandbox' if corp.sandboxed else 'real'}"
        return WeComClient(base, corp.corp, corp.secret, token_store=DatabaseTokens(), blocks=DatabaseBlocks(scope))

    def staff_messages(self) -> dict[tuple[str, str], StaffMessagePort]:
        """For whoever tells staff something."""
        return self._of_corp(lambda corp, client: WeComStaffMessages(client, corp.corp, corp.agent))

    def pages(self) -> dict[tuple[str, str], WeComPages]:
        """For pages that act inside WeCom's client."""
        return self._of_corp(lambda corp, client: WeComPages(client, corp.corp, corp.agent))

    def visitors(self) -> dict[tuple[str, str], WeComVisitors]:
        """For pages that are opened inside WeCom's client: whose browser it is."""
        return self._each(WeComVisitors)

    def media(self) -> dict[tuple[str, str], WeComMedia]:
        """For whoever sends files."""
        return self._of_corp(lambda corp, client: WeComMedia(client, corp.corp))

    def syncs(self) -> Connections:
        """For `channels.sync`."""
        return self._of_corp(Connection)

    def moments(self) -> Mapping[tuple[str, str], MomentsPort]:
        """What members publish to all their friends."""
        return self._each(WeComMoments)

    def transfers(self) -> TransferPorts:
        """For `connect`: handing customers over."""
        return self._each(WeComTransfers)

    def service(self) -> ServicePorts:
        """For `channels.kf`."""
        return self._each(WeComService)

    def _each(self, port: Callable[[WeComClient], T]) -> dict[tuple[str, str], T]:
        return self._of_corp(lambda corp, client: port(client))

    def _of_corp(self, port: Callable[[CorpFacts, WeComClient], T]) -> dict[tuple[str, str], T]:
        reached = [corp for corp in corps() if not (self._only_reached and corp.sandboxed)]
        found = [(corp, self.client(corp)) for corp in reached if corp.channel == WECOM]
        if self._shared and is_shared() and monotonic() - self._counted_at > COUNTED_FOR:
            self._counted_at = monotonic()
            processes = alive(WORKER) + alive(CLOCK)
            for _, client in found:
                client.share(processes)
        return {(corp.channel, corp.corp): port(corp, client) for corp, client in found}
