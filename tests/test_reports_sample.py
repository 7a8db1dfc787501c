"""A made-up series for the tests of the reports, and what must be true of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from gen_emerge.reports.sheet import (
    CalibrationNote,
    Credit,
    Firing,
    FunnelStep,
    Histogram,
    MapAxis,
    MapCell,
    Notice,
    OpenQuestions,
    ReportData,
)

EMITTERS = ("fresh", "mutate", "crossover", "wildcard", "parameters", "near_empty")


def picture(path: Path, warm: float, busy: float, seed: int, size: int = 64) -> Path:
    """A gradient of that warmth with waves of that business."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    angle, waves = rng.uniform(0, 6.28), 1 + 14 * busy
    wave = 0.5 + 0.5 * np.sin(6.28 * waves * (x * math.cos(angle) + y * math.sin(angle)) + 4 * np.sin(5 * y + seed))
    cold, hot = np.array([40, 90, 160]), np.array([235, 140, 50])
    base = cold + (hot - cold) * warm
    pixels = base * (0.35 + 0.65 * wave[..., None]) + rng.normal(0, 12 * busy, (size, size, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, "WEBP", quality=90)
    return path


def map_cells(folder: Path, dims: tuple[int, ...], share: float = 0.45, size: int = 64) -> tuple[MapCell, ...]:
    rng = np.random.default_rng(3)
    cells: list[MapCell] = []
    for index, place in enumerate(np.ndindex(*dims)):
        warm, busy = ((place[0] + 0.5) / dims[0], (place[1] + 0.5) / dims[1] if len(dims) > 1 else 0.5)
        if rng.random() > share * 2.2 * math.exp(-2.5 * ((warm - 0.55) ** 2 + (busy - 0.45) ** 2)):
            continue
        thumbnail = picture(folder / f"t{index}.webp", warm, busy, index, size)
        cells.append(
            MapCell(
                cell=index,
                candidate=index + 1,
                place=tuple(float(p) for p in place),
                thumbnail=thumbnail,
                image=f"images/{index:06d}.png",
                prompt=f"a woven study no. {index} in ember, slow drift, dense weave",
                cycle=5 + index % 40,
                descriptor=(warm * 0.6 - 0.25, busy * 0.3),
                emitter=EMITTERS[index % 6],
                wins=index % 4,
            )
        )
    return tuple(cells)


def sample(folder: Path, dims: tuple[int, ...] = (6, 5), share: float = 0.45, size: int = 64) -> ReportData:
    rng = np.random.default_rng(11)
    cells = map_cells(folder, dims, share, size)
    total = int(np.prod(dims))
    cycles = range(1, 51)
    grown = [0 if c <= 4 else round(len(cells) * (1 - math.exp(-(c - 4) / 14)) / 0.963) for c in cycles]
    raw = {name: rng.random(50) * 0.3 + 0.3 + i * 0.08 for i, name in enumerate(EMITTERS)}
    names = ("warmth", "edge_density", "contrast", "symmetry")[: len(dims)]
    ranges = ((-0.25, 0.35), (0.0, 0.3), (0.1, 0.9), (0.2, 0.9))
    return ReportData(
        series="first-light",
        brief="Quiet abstract studies for a long wall: every picture may hang alone, no two should feel like siblings.",
        profile="embedded",
        cycle=50,
        state="done",
        axes=tuple(
            MapAxis(name=n, low=lo, high=hi, cells=d, clipped=i * 3)
            for i, (n, (lo, hi), d) in enumerate(zip(names, ranges, dims, strict=False))
        ),
        kind="grid",
        cells_total=total,
        cells=cells,
        cycles_planned=50,
        warmup_cycles=4,
        seed=7,
        status={"candidates": 400, "accepted": 312, "mean_pairwise_distance": 0.412, "vendi": 38.24},
        coverage=tuple(zip(cycles, (float(g) for g in grown), strict=True)),
        mean_distance=tuple((c, 0.4 + 0.03 * math.sin(c / 5)) for c in cycles if c > 4),
        vendi=tuple((c, 38.24 * (1 - math.exp(-c / 12))) for c in cycles if c > 4),
        funnel=(
            FunnelStep(step="rendered", count=400),
            FunnelStep(step="after hard filters", count=391),
            FunnelStep(step="after the quality gate", count=372),
            FunnelStep(step="after the prompt gate", count=351),
            FunnelStep(step="after the novelty gate", count=325),
            FunnelStep(step="after the style gate", count=312),
            FunnelStep(step="elites", count=len(cells)),
        ),
        firing=(
            Firing(kind="gate", name="quality", seen=391, failed=19, review=11),
            Firing(kind="gate", name="prompt", seen=391, failed=21, review=9),
            Firing(kind="gate", name="novelty", seen=391, failed=26, review=18),
            Firing(kind="gate", name="style", seen=391, failed=0, review=0),
            Firing(kind="filter", name="blank", seen=400, failed=4),
            Firing(kind="filter", name="clipped_exposure", seen=400, failed=5),
        ),
        histograms=(
            Histogram(
                name="quality",
                values=rng.normal(0.62, 0.1, 391),
                unit="share of yes in the quality network",
                lower=0.45,
                review=0.05,
            ),
            Histogram(
                name="prompt",
                values=rng.normal(0.09, 0.04, 391),
                unit="above 32 reference prompts",
                lower=0.02,
                review=0.02,
            ),
            Histogram(
                name="novelty",
                values=rng.gamma(5, 0.06, 391),
                unit="distance to the nearest accepted image",
                lower=0.12,
                review=0.03,
            ),
            Histogram(
                name="style", values=rng.beta(5, 3, 391), unit="normalised entropy", lower=0.2, upper=0.95, review=0.02
            ),
        ),
        shares={
            n: tuple((c, float(v[c - 1] / sum(raw[m][c - 1] for m in raw))) for c in cycles) for n, v in raw.items()
        },
        credit=tuple(Credit(emitter=n, tries=40 + 9 * i, opened=12 + 3 * i, won=5 + i) for i, n in enumerate(EMITTERS)),
        newest=tuple(sorted(cells, key=lambda c: (-c.cycle, c.cell))[:24]),
        open_questions=OpenQuestions(questions=5, command="gen-emerge judge first-light"),
        notices=(
            Notice(cycle=4, kind="calibration", message="Calibration version 1 was fixed from 32 warm-up images."),
            Notice(cycle=31, kind="clipped", message="6.1% of the last images lay beyond the warmth axis.", alarm=True),
        ),
        calibrations=(CalibrationNote(version=1, cycle=5, reason="warm-up percentiles"),),
    )


def test_the_sample_fills_some_places_and_leaves_others_empty(tmp_path: Path) -> None:
    data = sample(tmp_path)
    assert 5 < len(data.cells) < data.cells_total
