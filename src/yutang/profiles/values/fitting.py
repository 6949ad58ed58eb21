"""Maximum likelihood for models of a few positive parameters: several starts, and standard errors. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LogLikelihood = Callable[[Floats], tuple[float, Floats]]
"""Of the logarithms of the parameters: the log-likelihood of everybody, and its gradient in them."""

FAR = 14.0
"""A parameter whose logarithm goes beyond this runs away: the data do not say where it ends."""
FLAT = 1e-3
"""Of a maximum, how much of log-likelihood a step of one Newton iteration may still promise."""
CLIMB, NEAR = 200, 1e-9
"""How many steps are climbed at most, and the gain per person below which a top is near enough for Newton."""
VAGUE = 2.0
"""Where the data say nothing of a parameter, its logarithm is known to about so much: a weak prior, of the covariance
only, so that an interval does not become endless. The estimates are those of the likelihood alone."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Where the likelihood is highest. `covariance` is that of the parameters' logarithms (the inverse of the negative
    Hessian); `errors` are the standard errors of the parameters themselves, by the delta method."""

    params: tuple[float, ...]
    errors: tuple[float, ...]
    covariance: Floats
    log_likelihood: float
    converged: bool


def maximise(
    log_likelihood: LogLikelihood,
    starts: Sequence[Sequence[float]],
    persons: float,
    some: tuple[LogLikelihood, float] | None = None,
) -> Fitted:
    """The best of the maxima that are climbed to from each start (parameters, not their logarithms), and from there by
    Newton's method, so that the printed digits are those of the maximum.

    `persons` scales what is climbed to about one. Where there are very many, `some` of them, drawn evenly, and their
    number, show the way and how it curves; where the maximum is, everybody decides. Not `converged`: a parameter ran
    away, the Hessian is not that of a maximum, or a Newton step would still gain something.
    """
    near, share = some or (log_likelihood, persons)
    tops = [_climbed(near, np.log(np.asarray(start, dtype=np.float64)), share) for start in starts]
    at = max(tops, key=lambda top: near(top)[0])
    hessian = hessian_of(near, at)
    for _ in range(8):
        gradient = near(at)[1]
        step = _newton(hessian, gradient)
        if step is None or float(gradient @ step) < FLAT * 1e-4 or near(at + step)[0] <= near(at)[0]:
            break
        at = at + step
        hessian = hessian_of(near, at)
    value, gradient = log_likelihood(at)
    if some is not None:
        hessian = hessian * (persons / share)
        for _ in range(30):
            step = _newton(hessian, gradient)
            if step is None or float(gradient @ step) < FLAT * 1e-4:
                break
            after, turned = log_likelihood(at + step)
            if after <= value:
                break
            at, value, gradient = at + step, after, turned
    step = _newton(hessian, gradient)
    flat = step is not None and abs(float(gradient @ step)) / 2 < FLAT
    covariance: Floats = np.linalg.inv(_positive(-hessian) + np.eye(len(at)) / VAGUE**2).astype(np.float64)
    params = np.exp(at)
    errors = params * np.sqrt(np.diag(covariance))
    inside = bool(np.all(np.abs(at) < FAR))
    return Fitted(tuple(params.tolist()), tuple(errors.tolist()), covariance, value, flat and inside)


def _climbed(log_likelihood: LogLikelihood, at: Floats, persons: float) -> Floats:
    """Near the top, by BFGS (Nocedal & Wright 2006, algorithm 6.1) with halved steps. (SciPy's L-BFGS-B spends thirty
    times as long on four parameters, in threads that wait for each other.)"""
    one = np.eye(len(at))
    inverse, (value, gradient) = one, _scaled(log_likelihood, at, persons)
    for _ in range(CLIMB):
        step = inverse @ gradient
        step = step / max(1.0, float(np.max(np.abs(step))))
        promised = float(gradient @ step)
        if promised < NEAR:
            break
        share = 1.0
        while True:
            after, turned = _scaled(log_likelihood, at + share * step, persons)
            if after >= value + 1e-4 * share * promised or share < 1e-6:
                break
            share /= 2
        moved, change = share * step, gradient - turned
        at, value, gradient = at + moved, after, turned
        curve = float(moved @ change)
        if curve > 1e-12:
            left = one - np.outer(moved, change) / curve
            inverse = left @ inverse @ left.T + np.outer(moved, moved) / curve
        else:
            inverse = one
        if np.max(np.abs(at)) > FAR:
            break
    return at


def _scaled(log_likelihood: LogLikelihood, at: Floats, persons: float) -> tuple[float, Floats]:
    value, gradient = log_likelihood(at)
    return (value / persons, gradient / persons) if np.isfinite(value) else (-np.inf, np.zeros_like(at))


def hessian_of(log_likelihood: LogLikelihood, at: Floats, step: float = 1e-4) -> Floats:
    """The second derivatives, by central differences of the gradient."""
    moves = step * np.eye(len(at), dtype=np.float64)
    rows = [(log_likelihood(at + move)[1] - log_likelihood(at - move)[1]) / (2 * step) for move in moves]
    hessian: Floats = np.array(rows)
    return (hessian + hessian.T) / 2


def _newton(hessian: Floats, gradient: Floats) -> Floats | None:
    """The step to the maximum; None where the Hessian is not that of one."""
    if not np.all(np.isfinite(hessian)) or np.linalg.eigvalsh(-hessian)[0] <= 0:
        return None
    step = np.asarray(-np.linalg.solve(hessian, gradient), dtype=np.float64)
    return step if np.max(np.abs(step)) < 1 else None


def _positive(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(np.nan_to_num(matrix))
    kept: Floats = (vectors * np.maximum(values, 0)) @ vectors.T
    return kept


def cubature(covariances: Sequence[Floats], widest: float = 1.5) -> list[tuple[Floats, ...]]:
    """Points of equal weight with mean zero and these covariances (of independent parts), two for each dimension: the
    third-degree rule of spherical cubature (Stroud 1971, U3 5-1). A logarithm is moved by `widest` at most."""
    whole = sum(len(one) for one in covariances)
    points = []
    for index, covariance in enumerate(covariances):
        values, vectors = np.linalg.eigh(covariance)
        for value, vector in zip(values.tolist(), vectors.T, strict=True):
            for sign in (1.0, -1.0):
                moved = sign * float(np.sqrt(max(value, 0.0) * whole)) * np.asarray(vector, np.float64)
                moved = moved * min(1.0, widest / max(float(np.max(np.abs(moved))), 1e-300))
                points.append(tuple(moved if n == index else np.zeros(len(c)) for n, c in enumerate(covariances)))
    return points
