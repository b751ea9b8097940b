"""What is measured of a claim and what is expected of it, in words."""

from __future__ import annotations

from pj.claims.schema import Best, Contrast, Diverged, Probed, RankCorrelation, cells, of_runs
from pj.claims.verdicts import Judgement
from pj.config.loading import Config
from pj.report.text import names


def of(found: Judgement, config: Config) -> str:
    """Return in words what is measured of a claim, and what is expected of it."""
    claim = found.claim
    match claim:
        case Contrast():
            return _contrast(claim, config)
        case RankCorrelation():
            what = names.quantity(claim.quantity)
            return f"Spearman's correlation of parameters and {what} in {names.cell(claim.study, config)}"
        case Probed():
            row = ", ".join(f"{key} {value}" for key, value in claim.row.items())
            what = f"ratio with / without batch norm, {names.cell(claim.study, config)}: {row}"
            return f"{what}; expected {claim.expect} {found.neutral:g}"
        case Best():
            among = "; ".join(names.cell(f"{claim.study}/{name}", config) for name in claim.among)
            best = f"{names.cell(f'{claim.study}/{claim.variant}', config)} has the highest mean"
            what = f"how often {best} {names.quantity(claim.quantity)} in bootstraps over seeds"
            return f"{what}, of {among or f'all of {names.cell(claim.study, config)}'}"
        case Diverged():
            listed = "; ".join(names.cell(cell, config) for cell in claim.cells)
            return f"share of runs that diverge, expected {claim.expect}: {listed}"
    return "not measured"


def _contrast(claim: Contrast, config: Config) -> str:
    plus, minus = ("·", "/") if claim.ratio else ("+", "−")

    def term(name: str, weight: float) -> str:
        title = name if name in claim.best_of else names.cell(name, config)
        return f"{plus if weight > 0 else minus} {'' if abs(weight) == 1 else f'{abs(weight):g} · '}{title}"

    terms = " ".join(term(name, weight) for name, weight in claim.contrast.items()).removeprefix(f"{plus} ")
    measured = [cell for cell in cells(claim) if of_runs(cell)]
    kind = "ratio of " if claim.ratio else ""
    what = f"{kind}{names.quantity(claim.quantity)}: " if measured else ""
    best = "".join(
        f"; {name}: the one that trains best of {', '.join(names.cell(cell, config) for cell in of)}"
        for name, of in claim.best_of.items()
    )
    expected = {
        "same": f"the same as {claim.than:g}, within {claim.margin:g}",
        "reached": f"to be such that one run could give {claim.reported}",
    }.get(claim.expect, f"{claim.expect} {claim.than:g}")
    where = ", ".join(dict.fromkeys(filter(None, (names.place(cell, config) for cell in cells(claim)))))
    return f"{what}{terms}{f' ({where})' if where else ''}; expected {expected}{best}"
