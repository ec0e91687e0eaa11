"""Timing paths, DRC violations and compute jobs from a seed: the same seed and moment give the same rows. Pure.

The shapes follow the reports of OpenSTA (`report_checks`) and OpenROAD (detailed-route DRC); the values are invented.
What is not here: writing them anywhere (`service.py`).
"""

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

Line = tuple[object, ...]

_BLOCKS: Final = ("ifu", "dec", "exu", "lsu", "pic", "dma", "dbg")
_GROUPS: Final = (("reg2reg", 0.62), ("in2reg", 0.12), ("reg2out", 0.12), ("reg2mem", 0.1), ("in2out", 0.04))
_CORNERS: Final = (("ss_0p72v_125c", 1.16), ("tt_0p80v_25c", 1.0), ("ff_0p88v_m40c", 0.86))
_CLOCKS: Final = (("core_clk", 1.2), ("bus_clk", 2.4), ("dbg_clk", 10.0))
_RULES: Final = (
    ("Metal Spacing", 9.0), ("Short", 6.0), ("Cut Spacing", 3.0), ("EOL Spacing", 2.0), ("Min Area", 1.2),
    ("NS Metal", 0.8), ("Minimum Width", 0.4),
)
_LAYERS: Final = (
    ("met1", 5.0), ("met2", 8.0), ("met3", 4.0), ("met4", 2.0), ("via2", 1.5), ("via3", 0.7), ("met5", 0.4),
)
_CELLS: Final = (
    "sram_256x64_0", "sram_256x64_1", "alu_top", "mul32", "lsu_queue", "icache_tag", "dec_table", "pic_core",
)


def _pick(chance: random.Random, choices: tuple[tuple[str, float], ...]) -> str:
    return chance.choices([name for name, _ in choices], [weight for _, weight in choices])[0]


def runs(last: datetime, count: int, every_days: float) -> list[datetime]:
    """Return the times of `count` runs up to `last`, some hours apart from an even rhythm."""
    return [
        (last - timedelta(days=every_days * (count - 1 - index), hours=(index * 7) % 5)).replace(microsecond=0)
        for index in range(count)
    ]


def timing_paths(
    seed: str, moments: list[datetime], paths: int, *, worst_ns: float, corners: bool = True
) -> Iterator[Line]:
    """Yield run_at, startpoint, endpoint, path_group, clock, corner, slack_ns, arrival_ns, required_ns, levels.

    Closure goes as it does: slack gets better run by run, with one bad week in between.
    """
    for index, moment in enumerate(moments):
        chance = random.Random(f"{seed}/{index}")  # noqa: S311  (figures of a sample, not secrets)
        progress = index / max(len(moments) - 1, 1)
        setback = 0.25 * math.exp(-(((progress - 0.6) / 0.08) ** 2))
        shift = worst_ns * (1 - 0.75 * progress + setback)
        for _ in range(paths):
            yield (moment, *_path(chance, shift, corners=corners))


def _path(chance: random.Random, shift: float, *, corners: bool) -> Line:
    block, other = chance.choice(_BLOCKS), chance.choice(_BLOCKS)
    group, clock = _pick(chance, _GROUPS), _pick(chance, (("core_clk", 0.8), ("bus_clk", 0.16), ("dbg_clk", 0.04)))
    period = dict(_CLOCKS)[clock]
    levels = max(2, round(chance.gauss(14, 6)))
    corner = _pick(chance, (("ss_0p72v_125c", 0.7), ("tt_0p80v_25c", 0.2), ("ff_0p88v_m40c", 0.1))) if corners else ""
    slow = dict(_CORNERS).get(corner, 1.0)
    lost = abs(chance.gauss(0, 0.16)) - shift * chance.betavariate(1.3, 6)
    slack = round(0.28 + period * 0.02 - lost * slow, 4)
    required = round(period - 0.05 - chance.random() * 0.03, 4)
    start = "in_port" if group.startswith("in") else f"{block}/stage{levels % 5}_reg_{chance.randrange(64)}_/CK"
    end = f"{other}/pipe_reg_{chance.randrange(96)}_/D"
    if group.endswith("out"):
        end = f"{other}/out_{chance.randrange(32)}"
    line: Line = (start, end, group, clock, corner, slack, round(required - slack, 4), required, levels)
    return line if corners else line[:4] + line[5:]


def violations(seed: str, moments: list[datetime], first: int) -> Iterator[Line]:
    """Yield run_at, violation_type, layer, x1, y1, x2, y2, cell, net1, net2, in micrometres.

    Violations gather around macros and get fewer with each run.
    """
    for index, moment in enumerate(moments):
        chance = random.Random(f"{seed}/{index}")  # noqa: S311
        left = round(first * (1 - 0.8 * index / max(len(moments) - 1, 1)) ** 1.6)
        centres = [(chance.uniform(60, 440), chance.uniform(60, 340)) for _ in range(4)]
        for _ in range(left):
            yield (moment, *_violation(chance, centres))


def _violation(chance: random.Random, centres: list[tuple[float, float]]) -> Line:
    spot = chance.random()
    centre = centres[0 if spot < 0.5 else 1 if spot < 0.75 else 2 if spot < 0.9 else 3]  # noqa: PLR2004
    x1 = round(min(499.0, max(0.5, chance.gauss(centre[0], 22))), 3)
    y1 = round(min(399.0, max(0.5, chance.gauss(centre[1], 16))), 3)
    width, height = round(chance.uniform(0.07, 1.6), 3), round(chance.uniform(0.07, 1.2), 3)
    cell = _CELLS[min(len(_CELLS) - 1, int(chance.expovariate(0.7)))]
    return (
        _pick(chance, _RULES), _pick(chance, _LAYERS), x1, y1, round(x1 + width, 3), round(y1 + height, 3), cell,
        f"net_{chance.randrange(900)}", f"net_{chance.randrange(900)}",
    )


def compute_jobs(seed: str, last: datetime, days: int) -> Iterator[Line]:
    """Yield submitted_at, tool, queue, host, cores, memory_gb, runtime_min of the jobs of some weeks."""
    chance = random.Random(seed)  # noqa: S311
    for hour in range(days * 24):
        moment = last - timedelta(hours=days * 24 - hour)
        busy = 3 + 3 * math.sin((hour % 24 - 6) / 24 * 2 * math.pi)
        for _ in range(max(0, round(chance.gauss(busy, 1.2)))):
            tool = _pick(chance, (("synthesis", 2), ("place", 3), ("route", 3), ("sta", 5), ("drc", 2)))
            heavy = {"synthesis": 40, "place": 70, "route": 180, "sta": 12, "drc": 25}[tool]
            yield (
                moment + timedelta(minutes=chance.randrange(60)), tool, chance.choice(("normal", "normal", "urgent")),
                f"eda-{chance.randrange(1, 13):02d}", chance.choice((4, 8, 8, 16)),
                round(chance.lognormvariate(3, 0.5), 1), round(heavy * chance.lognormvariate(0, 0.45), 1),
            )
