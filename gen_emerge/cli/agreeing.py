"""Takes the object of `gen_emerge.agreement`; gives text for people, eighty columns wide or folded to what there is."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

_FIGURES = (("spearman", "Spearman"), ("kendall", "Kendall"), ("icc_2k", "ICC(2,k)"))
_SHOWN = 3
"""Rankings that are shown one by one, the newest."""
_KINDS = {"pairs": "pairs", "keep": "keep or discard", "rankings": "places in rankings"}


def agreement_text(found: Mapping[str, Any], *, columns: int = 80) -> str:
    """Everything, part by part; what is missing names the command that asks for it."""
    name = found["series"]
    lines = [f"{name}: how far people and the machine agree, after cycle {found['cycle']}"]
    for title, part in (
        ("Rankings", _rankings(name, found["rankings"])),
        ("Keep or discard, and the gates", _kept(name, found["keep"])),
        ("People among themselves", _raters(name, found["raters"])),
    ):
        lines += ["", title]
        for line in part:
            lines += _folded(line, columns)
    lines += ["", *_folded(f"In brackets {found['level']:.0%} intervals. Nothing acts on these figures.", columns)]
    return "\n".join(lines)


def _folded(line: str, columns: int) -> list[str]:
    """Tables are narrow enough as they are; sentences are folded."""
    if len(line) <= columns or not line.strip():
        return [line]
    return textwrap.wrap(line.strip(), max(columns, 20), initial_indent="  ", subsequent_indent="  ",
                         break_on_hyphens=False)  # fmt: skip


def _figure(each: Mapping[str, Any] | None) -> str:
    """Such as "0.42 [-0.10, 0.71]"; an ICC may lie far below zero."""
    if each is None or each["value"] is None:
        return "-"
    if each["low"] is None and each["high"] is None:
        return f"{_number(each['value'])} (too few screens for an interval)"
    return f"{_number(each['value'])} [{_number(each['low'])}, {_number(each['high'])}]"


def _number(value: float | None) -> str:
    if value is None or value < -9.9:
        return "far"
    return f"{value if abs(value) >= 0.005 else 0.0:.2f}"


# ---- rankings ----------------------------------------------------------------------------------------------------


def _rankings(name: str, found: Mapping[str, Any]) -> list[str]:
    tell = found["to_tell"]
    if not found["rankings"]:
        return ["  Nobody has ranked anything yet.", *_to_tell(name, tell)]
    sizes = ", ".join(f"{count} of {size} images" for size, count in found["sizes"].items())
    lines = [f"  {_many(found['rankings'], 'ranking')} by {_many(found['raters'], 'person', 'people')}: {sizes}"]
    lines += ["", _row("together", "n", [title for _, title in _FIGURES])]
    for order, pooled in found["pooled"].items():
        if pooled is None:
            lines.append(f"  {order:<10}    -  orders no four images of any ranking")
        else:
            lines.append(_row(order, str(pooled["rankings"]), [_figure(pooled[key]) for key, _ in _FIGURES]))
    known = [pooled for pooled in found["pooled"].values() if pooled]
    if any(pooled["interval"] == "formula" for pooled in known):
        lines.append(
            f"  Where fewer than {found['enough_screens']} screens are behind an interval, it takes all of them to "
            "agree alike."
        )
    newest = found["each"][-_SHOWN:]
    for each in newest:
        lines += ["", f"  {each['question']} by {each['rater']}, {each['images']} images"]
        lines += [
            _row(order, f"/{figures['images']}", [_figure(figures[key]) for key, _ in _FIGURES])
            for order, figures in each["orders"].items()
        ] or ["  Nothing orders four of its images."]
    if len(newest) < found["rankings"]:
        earlier = _many(found["rankings"] - len(newest), "earlier ranking")
        lines.append(f"  {earlier}: gen-emerge --json agreement {name}")
    lines += [
        "",
        "  n: so many rankings; /4: so many images of one. 1 is agreement, 0 none; below 0, an ICC far below it "
        "(far), the two orders contradict each other. preference: the model as it stood before the ranking; critic: "
        "its duels alone, as of then.",
    ]
    return [*lines, *_to_tell(name, tell)]


def _row(name: str, count: str, cells: Sequence[str]) -> str:
    return (f"  {name:<10} {count:>3}" + "".join(f" {cell:>20}" for cell in cells)).rstrip()


def _to_tell(name: str, tell: Mapping[str, Any]) -> list[str]:
    more = tell["more"]
    asks = [f"    gen-emerge rounds {name} --open ranking"] if more else []
    return [
        "  Nothing acts on how far a single ranking agrees: one says next to nothing. Had Spearman fallen from "
        f"{tell['was']:g} to {tell['now']:g}, one ranking of {tell['images']} would show it {tell['power_of_one']:.0%} "
        f"of the time. It takes {tell['needed']} to see it {tell['power']:.0%} of the time: "
        + (f"{more} more" if more else "there are enough."),
        *asks,
    ]


# ---- the rest ----------------------------------------------------------------------------------------------------


def _kept(name: str, kept: Mapping[str, Any]) -> list[str]:
    left = f" {kept['undecided']} more are of images that the gates left to people." if kept["undecided"] else ""
    if kept["kappa"] is None:
        short = f"  {_many(kept['words'], 'answer')} so far, {kept['wanted']} wanted for a figure."
        return [short + left + " To be asked for some:", f"    gen-emerge rounds {name} --open keep"]
    lines = [
        f"  {kept['words']} answers on {kept['images']} images.{left}",
        f"  {'':<12}{'let in':>12}{'turned away':>14}",
        f"  {'kept':<12}{kept['kept_passed']:>12}{kept['kept_rejected']:>14}",
        f"  {'discarded':<12}{kept['discarded_passed']:>12}{kept['discarded_rejected']:>14}",
    ]
    if kept["kappa"]["value"] is None:
        return [*lines, "  All are alike on one side: Cohen's kappa is not defined."]
    return [*lines, f"  Cohen's kappa {_figure(kept['kappa'])}, of the images that were shown"]


def _raters(name: str, raters: Mapping[str, Any]) -> list[str]:
    names, wanted = raters["names"], raters["wanted"]
    if not names:
        return [f"  Nobody has answered anything yet: gen-emerge judge {name}"]
    lines: list[str] = []
    if len(names) == 1:
        lines.append(
            f"  {names[0]} is the only one who answered. Another answers the same "
            f"questions from a file: gen-emerge judge {name} --answers FILE --rater NAME"
        )
    else:
        for kind, words in _KINDS.items():
            each = raters[kind]
            if each["alpha"] is None:
                lines.append(f"  {words + ':':<20} {each['items']} answered by two or more, {wanted} wanted")
                continue
            lines.append(f"  {words + ':':<20} Krippendorff's alpha {_figure(each['alpha'])}, {each['items']} items")
            lines += [
                f"  {'':<20} {' and '.join(k['raters'])}: Cohen's kappa {_figure(k)}, {k['items']} items"
                for k in each["kappa"]
            ]
        if any(raters[kind]["alpha"] is None for kind in _KINDS):
            lines.append(
                "  A second person answers the same questions from a file: "
                f"gen-emerge judge {name} --answers FILE --rater NAME"
            )
    for each in raters["consistency"]:
        asked = _many(each["repeats"], "easy pair")
        lines.append(
            f"  {each['rater']} was asked {asked} twice, and answered {each['same']} the same; of anybody "
            f"who looks {each['expected']:.1f} are to be expected, of one who clicks at random {each['repeats'] / 2:g}."
        )
    if not raters["consistency"]:
        lines.append("  No easy pair has been asked twice yet: check-ins do so now and then.")
    return lines


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"
