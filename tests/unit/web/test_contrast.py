"""Every pair of colours that stands on top of another has enough contrast, in light and in dark (WCAG 2.2)."""

import re
from pathlib import Path

import pytest

TOKEN = re.compile(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)")
TOKENS = {
    name: (light, dark)
    for name, light, dark in TOKEN.findall(Path("frontend/css/tokens.css").read_text(encoding="utf-8"))
}
TEXT, MARK = 4.5, 3.0
GROUNDS = ("bg", "surface", "sunken", "hover")
TONES = ("accent", "good", "warn", "bad")
PAIRS = (
    *((ink, ground, TEXT) for ink in ("text", "muted", *TONES) for ground in GROUNDS),
    *((ink, f"{ink}-soft", TEXT) for ink in TONES),
    *((ink, f"{tone}-soft", TEXT) for ink in ("text", "muted") for tone in TONES),
    ("on-accent", "accent", TEXT),
    ("on-accent", "bad", TEXT),
    ("bg", "text", TEXT),
    *(("edge", ground, MARK) for ground in GROUNDS),
    *((f"s{number}", "surface", MARK) for number in range(1, 9)),
    *((f"fill-{tone}", "surface", MARK) for tone in ("good", "warn", "bad")),
)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_a_colour_can_be_read_on_its_ground(ink: str, ground: str, least: float) -> None:
    for theme in (0, 1):
        assert _contrast(TOKENS[ink][theme], TOKENS[ground][theme]) >= least


def test_colours_stand_in_the_tokens_alone() -> None:
    for file in Path("frontend/css").glob("*.css"):
        if file.name != "tokens.css":
            found = re.findall(r"#[0-9a-f]{3,8}\b(?![^{]*\{)", file.read_text(encoding="utf-8"))
            assert not found, (file.name, found)
