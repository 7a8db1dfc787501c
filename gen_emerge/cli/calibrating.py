"""Takes the objects of `gen_emerge.recalibration`; gives text for people: a plain sentence a gate, then the details."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from gen_emerge.cli.text import moved_table, review_within, takes_up
from gen_emerge.spoken import spoken

FEW_ANSWERS = 30
"""Answers below which a gate whose signal says little of taste gets worse by them, simulated (docs/judging.md)."""
FEW_APPROVED = 40
"""Approved images from which on the 5% below a bound are two of them or more, so that no single one sets it."""
_ROWS = 9
_WIDTH = 96
_LONG_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{4,}\b")


def preview_text(result: Mapping[str, Any]) -> str:
    """What the answers, or approved images, say of every gate; what is to come, when it was asked for."""
    name, by_folder = result["series"], "evidence" in result
    if by_folder:
        lines = [f"{name}: what {result['pictures']} approved images say of the gates"]
    else:
        lines = [f"{name}: what your answers say of the gates"]
    lines[0] += f" (version {result['in_force']} is in force)"
    sentences = {
        gate: (_by_images(gate, each, result) if by_folder else _by_answers(each, result["review"]["most"]))
        for gate, each in result["gates"].items()
    }
    lines += ["", *(line for gate, said in sentences.items() for line in _sentence(gate, said))]
    lines += [*_few(result), *_left_out(result)]
    if result["verdicts"] is not None:
        lines += ["", *_together(result)]
    lines += ["", *_ending(result)]
    if result["did"] == "previewed":
        lines += [
            "",
            "  Details",
            *(line for gate, each in result["gates"].items() for line in _details(name, gate, each)),
        ]
        if not by_folder:
            lines += ["", *_costs(result)]
    return "\n".join(lines)


def _sentence(gate: str, said: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent=f"  {gate:<9} ", subsequent_indent=" " * 12)


def _by_answers(each: Mapping[str, Any], most: float) -> str:
    """What one gate would do, and whether that is worth anything yet."""
    notes = {end: side["note"] for end, side in each["sides"].items() if side["note"]}
    known = [side for side in each["sides"].values() if not side["note"]]
    both = len(each["sides"]) > 1
    if not known:
        why = "; ".join(f"{end} end: {note}" if both else note for end, note in notes.items()) or "it is off"
        return f"Not enough said yet, it stays: {why}." if any("answers" in n for n in notes.values()) else f"{why}."
    stays = "".join(f" Its {end} end stays: {note}." for end, note in notes.items())
    if each["verdicts"] is None:
        return f"It stays where it is: your answers agree with it.{stays}"
    answers = sum(side["answers"] for side in known)
    told = f"{_outcome(each)}{stays}"
    if each["review"]["is"] > max(most, each["review"]["was"]):
        return f"Not enough said yet, do not apply: it would ask you about {each['review']['is']:.0%} of images. {told}"
    if answers < FEW_ANSWERS:
        few = f"It rests on {answers} judged images: below {FEW_ANSWERS} a gate may get worse by that."
        return f"{told} {few}"
    return told


def _outcome(each: Mapping[str, Any]) -> str:
    table = each["verdicts"]
    was = {word: sum(row.values()) for word, row in table.items()}
    now = {word: sum(row[word] for row in table.values()) for word in table}
    parts = [
        f"{verb} {now[word]} ({was[word]} now)"
        for word, verb in (("pass", "let through"), ("review", "ask you about"), ("fail", "turn away"))
    ]
    return f"Of {each['images']} past images it would {parts[0]}, {parts[1]} and {parts[2]}."


def _by_images(gate: str, each: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    told = approved_sentence(gate, result["evidence"][gate])
    if each["verdicts"] is None:
        return f"{told} The gate stays as it is."
    return f"{told} {_outcome(each)}"


def approved_sentence(gate: str, evidence: Mapping[str, Any]) -> str:
    """Where approved images put a gate's bounds, and how many of them lie beyond."""
    count, beyond = evidence["images"], evidence["beyond"]
    if gate == "style":
        lie = "lies" if beyond["lower"] == 1 else "lie"
        away = f"{beyond['lower']} of the {count} {lie} below and {beyond['upper']} above"
        return f"From {spoken(evidence['lower'])} to {spoken(evidence['upper'])}: {away}."
    verb = "lies" if beyond["lower"] == 1 else "lie"
    return f"From {spoken(evidence['lower'])}: {beyond['lower']} of the {count} {verb} below."


def _few(result: Mapping[str, Any]) -> list[str]:
    """A word of warning where one odd picture of a folder sets a bound."""
    least = min((e["images"] for e in result.get("evidence", {}).values()), default=FEW_APPROVED)
    if least >= FEW_APPROVED:
        return []
    said = (
        f"Only {least} images: the worst of them alone decides where the bounds lie. From {FEW_APPROVED} on the 5% "
        "that lie below are two pictures or more."
    )
    return ["", *textwrap.wrap(said, _WIDTH, initial_indent="  ", subsequent_indent="  ")]


def _left_out(result: Mapping[str, Any]) -> list[str]:
    left = result.get("left_out", [])
    lines = [f"  left out: {each['path']}: {each['reason']}" for each in left[:5]]
    if len(left) > 5:
        lines.append(f"  left out: {len(left) - 5} more, see --json")
    return ["", *lines] if lines else []


def _together(result: Mapping[str, Any]) -> list[str]:
    review = result["review"]
    lines = [
        f"  All four gates together, {result['past_images']} past images:",
        *moved_table(result["verdicts"], indent=4),
        f"    waiting for you: {review['was']:.0%} now, {review['is']:.0%} then",
    ]
    if result["weak"]:
        lines.append("    The signals say too little of what you keep: most images would wait for you.")
    return lines


def _ending(result: Mapping[str, Any]) -> list[str]:
    name = result["series"]
    if result["did"] != "previewed":
        return _to_come(result)
    drawn = [f"  Drawn: {result['png']}"] if "png" in result else []
    if not any(each["moved"] for each in result["gates"].values()):
        more = "" if "evidence" in result else f" Answer some more: gen-emerge rounds {name} --open keep"
        return [*drawn, f"  Nothing would change.{more}"]
    if result["too_many"]:
        most = f"more past images would wait for you than most_review = {result['review']['most']:.0%} allows"
        return [*drawn, f"  Nothing has changed, and --apply would refuse this without --anyway: {most}."]
    if "evidence" in result:
        options = f" --from-folder {result['folder']}"
    else:
        options = "".join(f" --gate {gate}" for gate in result["gates"]) if len(result["gates"]) < 4 else ""
    return [*drawn, f"  Nothing has changed. To use it: gen-emerge calibrate {name}{options} --apply"]


def _to_come(result: Mapping[str, Any]) -> list[str]:
    name, in_force = result["series"], result.get("in_force", result["version"] - 1)
    return [
        f"  Version {result['version']} counts from cycle {result['from_cycle']} on: {takes_up(result)}. Past verdicts "
        "stay.",
        f"  To go back: gen-emerge calibrate {name} --rollback {in_force}",
    ]


def asked_text(result: Mapping[str, Any]) -> str:
    """A way back, for people."""
    name, taken = result["series"], "; ".join(result["taken_back"])
    if result["did"] == "cancelled" and result["version"] == result["in_force"]:
        return f"{name}: taken back before it counted: {taken}. Version {result['in_force']} stays in force."
    lines = [f"{name}: back to the thresholds of version {result['to']}"]
    if taken:
        lines.append(f"  Taken back: {taken}")
    for gate, each in result["bounds"].items():
        if each["was"] != each["is"]:
            lines.append(f"  {gate:<9} {_bounds(each['was'])}  ->  {_bounds(each['is'])}")
    return "\n".join([*lines, *_to_come(result)])


def folder_text(result: Mapping[str, Any]) -> str:
    """Thresholds from approved images, for people."""
    if result["gates"]:
        return preview_text(result)
    lines = [f"{result['series']}: what {result['pictures']} approved images say of the gates", ""]
    lines += [line for gate, e in result["evidence"].items() for line in _sentence(gate, approved_sentence(gate, e))]
    lines += [*_few(result), *_left_out(result), ""]
    if result["did"] == "previewed":
        use = f"gen-emerge calibrate {result['series']} --from-folder {result['folder']} --apply"
        return "\n".join([*lines, f"  The warm-up is not over. To let them stand in for it at its end: {use}"])
    return "\n".join([*lines, "  They come into force at the end of the warm-up, in its place."])


# ---- details -----------------------------------------------------------------------------------------------------


def _costs(result: Mapping[str, Any]) -> list[str]:
    costs, chances = result["costs"], result["probabilities"]
    told = ", ".join(f"{word.replace('_', ' ')} {cost:g}" for word, cost in costs.items())
    return textwrap.wrap(
        f"By the costs in [calibration] ({told}) an image is let through from a chance of {chances['accept_from']:.0%} "
        f"on that you would keep it, turned away below {chances['reject_below']:.0%}, and asked about between.",
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
    )


def _details(name: str, gate: str, each: Mapping[str, Any]) -> list[str]:
    was, now = _bounds(each["bounds"]["was"]), _bounds(each["bounds"]["is"])
    lines = ["", f"  {gate}, {each['images']} images", f"    bounds      {was}"]
    lines += [f"    would be    {now}"] if each["moved"] else []
    lines += [
        f"    shifted     by {shift['size']:+.3g} since candidate {shift['since']}: what you keep may have moved too"
        for shift in each["shifts"]
    ]
    for end, side in each["sides"].items():
        lines += _side(end, side)
    if each["verdicts"] is not None:
        lines += moved_table(each["verdicts"], indent=4)
    for flip in each["flips"]:
        lines.append(
            f"    candidate {flip['candidate']:<6} {_SAYS[flip['was']]:<12} ->  {_SAYS[flip['is']]:<12} "
            f"{spoken(flip['value'])}"
        )
    if each["flips"]:
        lines.append(f"    see one: gen-emerge inspect {name} --candidate {each['flips'][0]['candidate']}")
    if each["version"]:
        lines.append("    measured by " + _LONG_HASH.sub(r"\1...", each["version"]))
    return lines


_SAYS = {"pass": "let in", "review": "waits", "fail": "turned away"}


def _side(end: str, side: Mapping[str, Any]) -> list[str]:
    if side["note"]:
        return [f"    {end + ' end':<11} {side['note']}"]
    shown = ", ".join(f"{count} {stream}" for stream, count in sorted(side["streams"].items()))
    sharp = side["sharpness"]
    least, most = sharp["interval"]
    lines = [
        f"    {end + ' end':<11} {side['answers']} images judged ({shown})",
        f"    counted as  {side['weight']:.1f} answers: old and unsure ones count in part",
        f"    tells apart {sharp['value']:.2f} (90% between {least:.2f} and {most:.2f}; at 0 it tells nothing)",
    ]
    if side["followed"]:
        beliefs = ", ".join(f"{belief:.0%}" for belief in side["followed"])
        lines.append(f"    followed    {beliefs} sure that what you keep moved with the signal")
    lines.append(f"    {'signal':>11}   chance that you would keep it (90% between)")
    curve = side["curve"]
    step = (len(curve["signal"]) - 1) // (_ROWS - 1)
    for place in range(0, len(curve["signal"]), step):
        good, low, high = (curve[key][place] for key in ("good", "low", "high"))
        bar = "".join("#" if n < round(good * 20) else "." for n in range(20))
        lines.append(f"    {spoken(curve['signal'][place]):>11}   {bar} {good:>4.0%}  ({low:.0%} to {high:.0%})")
    return lines


def _bounds(bounds: Mapping[str, Any]) -> str:
    words = (("lower", "from"), ("upper", "to"))
    ends = [f"{word} {spoken(bounds[key])}" for key, word in words if bounds[key] is not None]
    return f"{' '.join(ends)} ({review_within(bounds)})" if ends else "off"
