"""Takes the objects of `gen_emerge.reward`; gives text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def reward_text(result: Mapping[str, Any]) -> str:
    """What a trained head foretells, whether it may act, and what follows."""
    name, answers, held = result["series"], result["answers"], result["held_out"]
    whose = f"the taste of {result['rater']}" if result["rater"] else "what the raters have in common"
    raters = ", ".join(f"{rater} {count}" for rater, count in answers["raters"].items())
    told = f"{answers['comparisons']} comparisons ({answers['ties']} ties) of {answers['images']} images: {raters}"
    lines = [f"{name}: a head for {whose}", f"  learned    {told}"]
    if answers["left_out"]:
        lines.append(f"  left out   {answers['left_out']} of images that today's novelty scorer has not embedded")
    lines.append(
        f"  held out   {held['foretold']} answers on {held['screens']} screens, each foretold from about "
        f"{held['trained_on']} that share no image with it"
    )
    if held["foretold"]:
        lines += _figures(held)
    lines += _deeds(result["deeds"])
    clear = [each for each in result["says"] if abs(each["value"]) > 1.96 * each["error"]]
    for place, each in enumerate(clear[:3]):
        sign = "speaks for an image" if each["value"] > 0 else "speaks against it"
        lines.append(f"  {'checklist' if not place else '':<10} {each['question']}: {each['answer']} {sign}")
    word = "It may act" if result["active"] else "It does not act"
    lines += [f"  {word}: {result['why']}.", *_ending(result)]
    return "\n".join(lines)


def _figures(held: Mapping[str, Any]) -> list[str]:
    lines = [f"    {'':<14} {'log-loss':>9} {'right':>7}   gained by the head"]
    for which in sorted(held["log_loss"], key=lambda each: (each != "head", held["log_loss"][each])):
        right = f"{held['accuracy'][which]:>7.0%}" if which in held["accuracy"] else f"{'50%':>7}"
        gain = held["gains"].get(which)
        told = f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})" if gain else ""
        lines.append(f"    {which:<14} {held['log_loss'][which]:>9.3f} {right}   {told}".rstrip())
    if held["sure"]:
        share = held["sure_right"] / held["sure"]
        lines.append(
            f"    {held['sure_from']:.0%} sure about {held['sure']} of them ({held['sure'] / held['foretold']:.0%}); "
            f"right in {share:.0%} of these"
        )
    else:
        lines.append(f"    {held['sure_from']:.0%} sure about none of them: it would settle nothing")
    return lines


def _deeds(deeds: Mapping[str, Any]) -> list[str]:
    if not deeds["comparisons"]:
        return []
    kinds = ", ".join(f"{count} {kind}" for kind, count in deeds["kinds"].items())
    if deeds["gain"] is None:
        return [f"  deeds      {kinds}: too few to try whether they help"]
    gain, word = deeds["gain"], "used" if deeds["used"] else "not used, they do not help"
    return [f"  deeds      {kinds}: {word} ({gain['value']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f})"]


def _ending(result: Mapping[str, Any]) -> list[str]:
    name = result["series"]
    if result["did"] == "applied":
        return to_come(result)
    stands = result["stands"]
    lines = [f"  Nothing has changed. To store it: gen-emerge train reward {name} --apply"]
    if not result["active"]:
        lines = [f"  Nothing has changed. More answers may show more: gen-emerge rounds {name} --open rank4"]
        if stands is not None and stands["active"]:
            lines.append(f"  Version {stands['version']} still acts; --apply would end that.")
    return lines


def to_come(result: Mapping[str, Any]) -> list[str]:
    """From when on it counts, and the way back."""
    running = "the series takes it up by itself" if result["running"] else f"gen-emerge run {result['series']}"
    before = result["stands"]["version"] if result["stands"] is not None else 0
    off = [] if result.get("settles", True) else ["  The series file says [reward] use = false: it settles no duel."]
    return [
        *off,
        f"  Version {result['version']} counts from cycle {result['from_cycle']} on: {running}.",
        f"  To go back: gen-emerge train reward {result['series']} --rollback {before}",
    ]


def back_text(result: Mapping[str, Any]) -> str:
    """A way back, for people."""
    to = f"head version {result['to']}" if result["to"] else "no head"
    acts = "" if not result["to"] else ", which acts" if result["active"] else ", which does not act"
    return "\n".join([f"{result['series']}: back to {to}{acts}", *to_come(result)])


def stands_text(told: Mapping[str, Any]) -> str:
    """One line of `status`: the version that stands, and what it foretold."""
    held = told["held_out"]
    if held is None:
        return f"version {told['version']}: none"
    best = held["log_loss"].get(held["best_signal"], math.log(2.0))
    figures = f"held-out log-loss {held['log_loss']['head']:.3f}, {held['best_signal'] or 'a coin'} {best:.3f}"
    acts = "acts" if told["acting"] else "does not act"
    to_come = f", counts from cycle {told['from_cycle']} on" if told["to_come"] else ""
    return f"version {told['version']} {acts} ({figures}; {told['settled']} duels settled{to_come})"
