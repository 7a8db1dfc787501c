"""Takes the objects of `gen_emerge.recalibration`; gives text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen_emerge.cli.text import review_within
from gen_emerge.spoken import spoken

_ROWS = 9


def preview_text(result: Mapping[str, Any]) -> str:
    """What the answers say of every gate; what is to come, when it was asked for."""
    name, chances = result["series"], result["probabilities"]
    costs = ", ".join(f"{word.replace('_', ' ')} {cost:g}" for word, cost in result["costs"].items())
    lines = [
        f"{name}: calibration version {result['in_force']} is in force",
        f"  costs     {costs}: accepted from P(good) {chances['accept_from']:.0%}, rejected below "
        f"{chances['reject_below']:.0%}, asked about between",
    ]
    for gate, each in result["gates"].items():
        lines += ["", *_gate(gate, each)]
    if result["verdicts"] is not None:
        lines += ["", f"  {result['pictures']} past images, these gates together", *_counts(result["verdicts"])]
        lines.append(f"    waiting for you: {result['review']['was']:.0%}  ->  {result['review']['is']:.0%}")
    if result["weak"]:
        lines.append("    The signals say too little of what you keep: most images would wait for you.")
    lines += ["", *_ending(result)]
    return "\n".join(lines)


def _ending(result: Mapping[str, Any]) -> list[str]:
    name = result["series"]
    if result["did"] == "applied":
        return _to_come(result)
    drawn = [f"  Drawn: {result['png']}"] if "png" in result else []
    if not any(each["moved"] for each in result["gates"].values()):
        return [*drawn, f"  Nothing would change. Answer some more: gen-emerge rounds {name} --open keep"]
    return [*drawn, f"  Nothing has changed. To use it: gen-emerge calibrate {name} --apply"]


def _to_come(result: Mapping[str, Any]) -> list[str]:
    running = "the series takes it up by itself" if result["running"] else f"gen-emerge run {result['series']}"
    return [
        f"  Version {result['version']} counts from cycle {result['from_cycle']} on: {running}. Past verdicts stay.",
        f"  To go back: gen-emerge calibrate {result['series']} --rollback {result['version'] - 1}",
    ]


def asked_text(result: Mapping[str, Any]) -> str:
    """A way back, for people."""
    lines = [f"{result['series']}: back to the thresholds of version {result['to']}"]
    for gate, each in result["bounds"].items():
        if each["was"] != each["is"]:
            lines.append(f"  {gate:<9} {_bounds(each['was'])}  ->  {_bounds(each['is'])}")
    return "\n".join([*lines, *_to_come(result)])


def folder_text(result: Mapping[str, Any]) -> str:
    """Thresholds from approved images, for people."""
    lines = [f"{result['series']}: thresholds by {result['pictures']} approved images"]
    for gate, each in result["evidence"].items():
        lines.append(f"  {gate:<9} 5% of {each['images']} lie below {spoken(each['lower'])}") if gate != "style" else (
            lines.append(
                f"  {gate:<9} 98% of {each['images']} lie between {spoken(each['lower'])} and {spoken(each['upper'])}"
            )
        )
    lines += [f"    left out: {left['path']}: {left['reason']}" for left in result["left_out"][:5]]
    if result["from_cycle"] is None:
        return "\n".join([*lines, "  They come into force at the end of the warm-up, in its place."])
    return "\n".join([*lines, *_to_come(result)])


def _gate(gate: str, each: Mapping[str, Any]) -> list[str]:
    was, now = _bounds(each["bounds"]["was"]), _bounds(each["bounds"]["is"])
    lines = [f"  {gate}  by {each['version'] or 'the archive'}, {each['images']} images"]
    lines.append(f"    bounds    {was}  ->  {now}" if each["moved"] else f"    bounds    {was}: they stay")
    for shift in each["shifts"]:
        lines.append(
            f"    shifted   by {shift['size']:+.3g} since candidate {shift['since']}: the bar may have moved with it"
        )
    for end, side in each["sides"].items():
        lines += _side(end, side, only=len(each["sides"]) == 1)
    if each["verdicts"] is not None:
        lines += _counts(each["verdicts"])
    for flip in each["flips"]:
        lines.append(f"      {flip['was']:>6}  ->  {flip['is']:>6}  {spoken(flip['value'])}  {flip['path']}")
    return lines


def _side(end: str, side: Mapping[str, Any], *, only: bool) -> list[str]:
    word = "answers" if only else f"{end}"
    if side["note"]:
        return [f"    {word:<9} {side['note']}"]
    shown = ", ".join(f"{count} {stream}" for stream, count in sorted(side["streams"].items()))
    sharp = side["sharpness"]
    low, high = sharp["interval"]
    lines = [
        f"    {word:<9} {side['answers']} images judged ({shown}), worth {side['weight']:.1f} after fading",
        f"    sharpness {sharp['value']:.2f} logits a sd (90% between {low:.2f} and {high:.2f}; 0 says nothing)",
        f"    {'signal':>11}   P(good)",
    ]
    if side["followed"]:
        lines.insert(
            2, "    followed  " + ", ".join(f"{belief:.0%}" for belief in side["followed"]) + " that the bar moved"
        )
    curve = side["curve"]
    step = (len(curve["signal"]) - 1) // (_ROWS - 1)
    for place in range(0, len(curve["signal"]), step):
        good, low, high = (curve[key][place] for key in ("good", "low", "high"))
        bar = "".join("#" if n < round(good * 20) else "." for n in range(20))
        lines.append(f"    {curve['signal'][place]:>11.4g}   {bar} {good:>4.0%}  ({low:.0%} to {high:.0%})")
    return lines


def _bounds(bounds: Mapping[str, Any]) -> str:
    words = (("lower", "from"), ("upper", "to"))
    ends = [f"{word} {spoken(bounds[key])}" for key, word in words if bounds[key] is not None]
    return f"{' '.join(ends) or 'off'} ({review_within(bounds)})"


def _counts(table: Mapping[str, Mapping[str, int]]) -> list[str]:
    words = list(table)
    head = "".join(f"{word:>9}" for word in words)
    rows = [f"      {old:<8}" + "".join(f"{table[old][new]:>9}" for new in words) for old in words]
    return [f"      was \\ is{head[1:]}", *rows]
