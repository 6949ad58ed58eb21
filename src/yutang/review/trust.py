"""导购信任分: how much customers trust a guide, compared with what her store lets her do, and how sure that is. Pure.

Per guide g, in the store s(g), and per component k (her friends stay, answer, buy) there are O events and E expected
ones: E adds up, over her friends' time at risk, the brand's hazards by how long they have been friends, how often they
had bought before, and by which door they came. A piecewise constant hazard makes this likelihood Poisson (Holford 1980,
Biometrics 36; Laird & Olivier 1981, JASA 76), so what is censored is counted right:

    O_gk ~ Poisson(E_gk · exp(m_k + s_s(g),k + t_gk))                                                     (1)
    s_s ~ Normal(0, S),  t_g ~ Normal(0, T)                                                               (2)

The store's location is in s, the guide in t; what a store's guides have in common is shared out between the two by how
much stores and guides differ elsewhere. About the mode the likelihood is normal (penalised quasi-likelihood, Breslow &
Clayton 1993, JASA 88, sec. 2.2), with the working response and information

    y_gk = η_gk + (O_gk − λ_gk) / λ_gk,   I_g = diag(λ_gk),   λ_gk = E_gk · exp(η_gk)                     (3)

and everything is then a normal-normal model (Efron & Morris 1975, JASA 70; Casella 1985, American Statistician 39):

    A_g = (T + I_g⁻¹)⁻¹ = I_g (1 + T I_g)⁻¹                                                               (4)
    s_s | y:  C_s = (S⁻¹ + Q_s)⁻¹,  ŝ_s = C_s Σ A_g (y_g − m),   Q_s = Σ A_g over the store's guides      (5)
    t_g | y:  t̂_g = T A_g (y_g − m − ŝ_s),   V_g = T − T A_g T + (T A_g) C_s (T A_g)ᵀ                    (6)

T A_g is the shrinkage: near 0 for who has few friends. m, S and T are found by EM on the marginal likelihood (Dempster,
Laird & Rubin 1977; Laird & Ware 1982, Biometrics 38):

    T ← mean of (t̂ t̂ᵀ + V) over guides,   S ← mean of (ŝ ŝᵀ + C) over stores                            (7)

T has covariances: who is trusted is answered, too, and a component with much to tell helps one with little. The score
weighs the components, each in its own standard deviations among guides and turned so that more is better:

    z_g = cᵀ t̂_g / √(cᵀ T c),   c_k = ± w_k / √T_kk,   score = 100 Φ(z)                                  (8)

So a score is a place among guides: 80 is better than 80 of 100, all stores being alike. Its 90 % interval is
100 Φ(z ± 1.645 σ), with σ² from (6), widened for not knowing m, and for not knowing the size of T (to first order, as
Kass & Steffey 1989, JASA 84; the log of a variance estimated from guides of reliability B has the variance 2 / Σ B²):

    σ² = cᵀ V c / cᵀ T c + (½ − B)² z² · 2 / Σ B²,   B_g = 1 − cᵀ V_g c / cᵀ T c                          (9)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

COVERAGE = 0.9
FEWEST_GUIDES = 8
"""With fewer guides nobody can say how much guides differ."""
FEWEST_STORES = 3
"""With fewer stores, a store cannot be told from its guides: only guides are compared, within each."""
FEWEST_EVENTS = 30
"""A component of which less happened in the whole brand tells nothing."""
NO_DIFFERENCE = 0.03
"""Guides whose true rates differ by less than 3 % (one standard deviation) are alike: the component says nothing."""
ROUNDS, CLOSE = 400, 1e-4
_Z = NormalDist().inv_cdf(0.5 + COVERAGE / 2)


class Component(StrEnum):
    """What trust shows in: friends stay, they answer, they buy."""

    RETENTION = "retention"
    REPLIES = "replies"
    PURCHASES = "purchases"


BETTER = {Component.RETENTION: -1.0, Component.REPLIES: 1.0, Component.PURCHASES: 1.0}
"""Whether more of what is counted is better: of friendships it is their end that is counted."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted, a row per guide. `store` numbers stores from 0; the columns of the rest are the components:
    events that happened, and those that the brand's hazards would have brought."""

    store: Ints
    observed: Numbers
    expected: Numbers


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happens to a guide's friends, as a multiple of what other guides' would do at her store."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """A guide's trust, 0–100, with its 90 % interval, and what it is made of, better or worse as it was counted."""

    value: float
    low: float
    high: float
    parts: Mapping[Component, Rate]

    @property
    def above(self) -> bool:
        """Surely better than the middle."""
        return self.low > 50

    @property
    def below(self) -> bool:
        """Surely worse than the middle."""
        return self.high < 50


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was learned of guides (`effects`, with their posterior `spread` as matrices), of how they differ (`among`),
    of how stores do, and of the common level: t̂, V, T, S and m."""

    effects: Numbers
    spread: Numbers
    among: Numbers
    stores: Numbers
    level: Numbers


def scores(counts: Counts, weights: Mapping[Component, float]) -> list[Score] | None:
    """The score of every row; None where nothing can be told of anybody: too few guides, or none that differ."""
    told = [
        index
        for index, component in enumerate(Component)
        if weights.get(component, 0) > 0
        and counts.observed[:, index].sum() >= FEWEST_EVENTS
        and counts.expected[:, index].sum() > 0
    ]
    if len(counts.store) < FEWEST_GUIDES or not told:
        return None
    fitted = fit(Counts(counts.store, counts.observed[:, told], counts.expected[:, told]))
    spread = np.sqrt(np.diagonal(fitted.among))
    if not (visible := spread >= NO_DIFFERENCE).any():
        return None
    components = [list(Component)[index] for index in told]
    signs = np.array([BETTER[one] * weights[one] for one in components])
    c = np.where(visible, signs / np.maximum(spread, NO_DIFFERENCE), 0.0)
    value, deviation = _placed(fitted, c)
    normal = NormalDist()
    parts = _rates(fitted, components)
    return [
        Score(100 * normal.cdf(z), 100 * normal.cdf(z - _Z * s), 100 * normal.cdf(z + _Z * s), part)
        for z, s, part in zip(value.tolist(), deviation.tolist(), parts, strict=True)
    ]


def _placed(fitted: Fitted, c: Numbers) -> tuple[Numbers, Numbers]:
    """Equations 8 and 9: z and σ."""
    whole = float(c @ fitted.among @ c)
    z = fitted.effects @ c / sqrt(whole)
    variance = np.einsum("i,gij,j->g", c, fitted.spread, c) / whole
    reliability = np.clip(1 - variance, 0, 1)
    unsure = 2 / max(float((reliability**2).sum()), 1e-9)
    return z, np.sqrt(variance + (0.5 - reliability) ** 2 * z**2 * min(unsure, 1.0))


def _rates(fitted: Fitted, components: Sequence[Component]) -> list[dict[Component, Rate]]:
    half = _Z * np.sqrt(np.diagonal(fitted.spread, axis1=1, axis2=2))
    ends = [np.exp(fitted.effects + shift).tolist() for shift in (0, -half, half)]
    return [
        {one: Rate(value[k], low[k], high[k]) for k, one in enumerate(components)}
        for value, low, high in zip(*ends, strict=True)
    ]


def fit(counts: Counts) -> Fitted:
    """Equations 3 to 7, repeated until nothing moves."""
    store, observed, expected = counts.store, counts.observed, counts.expected
    guides, size = observed.shape
    one = np.eye(size)
    places = int(store.max()) + 1
    nested = places >= FEWEST_STORES
    among, stores = 0.1 * one, (0.05 * one if nested else 1e4 * one)
    level = np.log(observed.sum(axis=0) / expected.sum(axis=0))
    linear = np.tile(level, (guides, 1))
    effects, spread = np.zeros_like(observed), np.zeros((guides, size, size))
    for _ in range(ROUNDS):
        rate = expected * np.exp(np.clip(linear, -8, 8))
        answer = linear + np.divide(observed - rate, rate, out=np.zeros_like(rate), where=rate > 0)
        weight = rate[:, :, None] * np.linalg.inv(one + among * rate[:, None, :])  #                      (4)
        weighed = np.einsum("gij,gj->gi", weight, answer)
        asked, heard = np.zeros((places, size, size)), np.zeros((places, size))
        np.add.at(asked, store, weight)
        np.add.at(heard, store, weighed)
        passed = np.linalg.inv(one + asked @ stores)  # of a store's information, what is not its own
        level_spread = np.linalg.inv((passed @ asked).sum(axis=0))
        level = level_spread @ np.einsum("sij,sj->i", passed, heard)
        own = stores @ passed  # (5): C_s
        place = np.einsum("sij,sj->si", own, heard - asked @ level)
        drawn = np.einsum("ij,gjk->gik", among, weight)  # T A_g
        effects = np.einsum("gij,gj->gi", drawn, answer - level - place[store])  #                        (6)
        kept = np.swapaxes(passed, 1, 2)  # how an error of the level reaches level + store
        beside = own + kept @ level_spread @ passed
        spread = among - drawn @ among + drawn @ beside[store] @ np.swapaxes(drawn, 1, 2)
        before, linear = linear, level + place[store] + effects
        among = (np.einsum("gi,gj->ij", effects, effects) + spread.sum(axis=0)) / guides  #               (7)
        if nested:
            stores = (np.einsum("si,sj->ij", place, place) + beside.sum(axis=0)) / places
        if float(np.abs(linear - before).max()) < CLOSE:
            break
    return Fitted(effects, spread, among, stores, level)
