from __future__ import annotations

import math
from typing import Any

from lossary.define import (
    Array,
    Claim,
    Columns,
    Differentiable,
    Domain,
    EstimatesLocationAndScale,
    Notation,
    NotConvex,
    Positive,
    Real,
    Rowwise,
    Twin,
    UnboundedGradient,
    parameter,
)
from lossary.losses.distribution.score_of_law import residual_in_scales, symmetric


def _log_ratio_of_gammas(x: float) -> float:
    """log Γ(x + ½) − log Γ(x), where the difference of the two loses digits: from x of 40 on by Stirling's series."""
    steps = max(0, math.ceil(40.0 - x))
    at = x + steps
    series = 0.5 * math.log(at) - 1 / (8 * at) + 1 / (192 * at**3) - 1 / (640 * at**5) + 17 / (14336 * at**7)
    return series - math.fsum(math.log1p(0.5 / (x + step)) for step in range(steps))


class StudentTNLL(Rowwise):
    """The negative log-likelihood of a number under a Student's t law of fixed degrees of freedom, of which the
    prediction is location and scale."""

    degrees_of_freedom: float = parameter(
        default=4.0,
        above=0,
        symbol="ν",
        doc="how light the tails are: 1 is Cauchy's law, and from 30 or so on it is close to a normal one",
        foreign=("df", "nu", "dof"),
        examples=(1.0, 30.0),
    )
    scale: str = parameter(
        default="log_scale",
        choices=("log_scale", "scale"),
        doc="what the second column is: the logarithm of the scale, or that itself",
        examples=("scale",),
    )
    full: bool = parameter(
        default=False, doc="whether the constant is added that depends on the degrees of freedom, as in a likelihood"
    )

    task = "regression"
    tried = False
    target = Real()
    output_layer = "two linear units: the location and the logarithm of the scale"
    choosing = "few degrees of freedom where outliers are many and far; scale='log_scale' needs no activation"
    strengths = (
        "predicts how sure it is, for each row, and outliers move neither location nor scale by much",
        "the further out a target is, the less it pulls on the location",
    )
    weaknesses = (
        "the degrees of freedom are one number for all rows, and are not learned",
        "without bound below: where residuals become 0 the scale collapses",
    )
    sources = ("Lange, Little & Taylor 1989, doi:10.2307/2290063",)
    foreign_names = ("StudentTLoss", "StudentT", "logs_t", "TDistributionLoss")
    same_as = (
        Twin(
            "-scipy.stats.t.logpdf(target, degrees_of_freedom, prediction[..., 0], numpy.exp(prediction[..., 1]))",
            when={"scale": "log_scale", "full": True},
        ),
        Twin(
            "-scipy.stats.t.logpdf(target, degrees_of_freedom, prediction[..., 0], prediction[..., 1])",
            when={"scale": "scale", "full": True},
        ),
    )
    no_twin = "others have the constant: full=True"

    @property
    def prediction(self) -> Domain:
        if self.scale == "log_scale":
            return Columns(location=Real(), log_scale=Real())
        return Columns(location=Real(), scale=Positive())

    @property
    def claims(self) -> tuple[Claim, ...]:
        estimates = EstimatesLocationAndScale("Student's t", self.degrees_of_freedom)
        return estimates, NotConvex(), Differentiable(), UnboundedGradient()

    @property
    def notation(self) -> Notation:
        latex, text = (r"e^{\mathrm{log\_scale}}", "exp(log_scale)") if self._log else (r"\mathrm{scale}", "scale")
        constant = r" + \log \Gamma\left(\tfrac{\nu}{2}\right) - \log \Gamma\left(\tfrac{\nu + 1}{2}\right)"
        return Notation(
            latex=r"\log \sigma + \frac{\nu + 1}{2} \log\left(1 + \frac{z^2}{\nu}\right)"
            + (constant + r" + \tfrac{1}{2} \log(\pi \nu)" if self.full else "")
            + rf", \quad z = (y - \mathrm{{location}}) / \sigma, \quad \sigma = {latex}",
            text="log σ + (ν + 1)/2 log(1 + z²/ν)"
            + ("\n+ log Γ(ν/2) - log Γ((ν + 1)/2) + log(πν)/2" if self.full else "")
            + f"\nwhere z = (y - location) / σ, σ = {text}",
        )

    def formula(self, xp: Any, p: Array, y: Array) -> Array:
        location, scale = xp.columns(p, 2)
        log_scale, scale = (scale, xp.exp(scale)) if self._log else (xp.log(scale), scale)
        z = (y - location) / scale
        cost = log_scale + (self.degrees_of_freedom + 1) / 2 * xp.log(1 + z * z / self.degrees_of_freedom)
        return cost + self._constant if self.full else cost

    def value(self, xp: Any, p: Array, y: Array) -> Array:
        of_scale, of_residual, constant = self.value_terms(xp, p, y)
        return (of_scale + constant) + of_residual

    def gradient(self, xp: Any, p: Array, y: Array) -> Array:
        location, scale = xp.columns(p, 2)
        z, is_near, degrees = self._residual(xp, p, y)
        inverse = xp.exp(-scale) if self._log else 1.0 / scale
        near, u = xp.where(is_near, z, 0.0), 1.0 / xp.where(is_near, 1.0, z)
        # Far out by the residual itself, for the inverse of the scale may overflow; by half of it, where it does.
        held = xp.logical_or(is_near, xp.isfinite(location - y))
        residual = xp.where(is_near, 1.0, xp.where(held, location - y, 0.5 * location - 0.5 * y))
        more = degrees + 1.0
        far = xp.where(held, more + 0.0 * u, 0.5 * more) / residual / (1.0 + degrees * u * u)
        share = near / (degrees + near * near)
        pull = xp.where(is_near, xp.product(more * share, inverse), far)
        of_scale = 1.0 - more * xp.where(is_near, share * near, 1.0 / (1.0 + degrees * u * u))
        return xp.stack(pull, of_scale if self._log else of_scale / scale)

    def value_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array | float, ...]:
        # What the scale costs, what the residual does, and the constant.
        location, scale = xp.columns(p, 2)
        z, is_near, degrees = self._residual(xp, p, y)
        near, far = xp.where(is_near, z, 0.0), degrees**-0.5 * xp.abs(xp.where(is_near, 2.0 * degrees**0.5, z))
        log_scale = scale if self._log else xp.log(scale)
        # Where the residual in scales overflows, its logarithm does not; and where the residual itself does, half of it.
        half = xp.abs(0.5 * location - 0.5 * y)
        apart = xp.log(xp.where(is_near, 1.0, half)) + (0.5 * math.log(4.0 / degrees) - log_scale)
        logarithm = xp.where(xp.isfinite(far), xp.log(far), apart)
        beyond = 2.0 * logarithm + xp.log1p(1.0 / far / far)
        cost = 0.5 * (degrees + 1.0) * xp.where(is_near, xp.log1p(near * near / degrees), beyond)
        return log_scale, cost, self._constant if self.full else 0.0

    def gradient_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        # The scale is pulled down by itself, and up by the residual.
        pull, of_scale = xp.columns(self.gradient(xp, p, y), 2)
        down = 1.0 + 0.0 * pull if self._log else 1.0 / xp.columns(p, 2)[1]
        return xp.stack(pull, down), xp.stack(pull, down - of_scale)

    def curvature_terms(self, xp: Any, p: Array, y: Array) -> tuple[Array, ...]:
        z, _, degrees = self._residual(xp, p, y)
        scale = xp.columns(p, 2)[1]
        inverse = xp.exp(-scale) if self._log else 1.0 / scale
        share = (degrees + 1.0) / (degrees + z * z)  # of the residual's pull, in residuals
        bend = 2.0 * degrees * share / (degrees + z * z)
        if self._log:
            return (symmetric(xp, share * inverse * inverse, z * bend * inverse, z * z * bend),)
        of_scale = 1.0 + z * z * (share + bend)
        return (symmetric(xp, share, z * bend, of_scale) * xp.row(xp.row(inverse * inverse)),)

    @property
    def _log(self) -> bool:
        return self.scale == "log_scale"

    @property
    def _constant(self) -> float:
        return 0.5 * math.log(math.pi * self.degrees_of_freedom) - _log_ratio_of_gammas(0.5 * self.degrees_of_freedom)

    def _residual(self, xp: Any, p: Array, y: Array) -> tuple[Array, Array, float]:
        """The residual in scales, whether it is so near that the law is not yet a power of it, and the degrees."""
        location, scale = xp.columns(p, 2)
        z = residual_in_scales(xp, location, y, scale, log=self._log)
        return z, xp.abs(z) <= self.degrees_of_freedom**0.5, self.degrees_of_freedom
