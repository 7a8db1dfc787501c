"""A head of a series' own raters, as a command: trained and shown, applied, taken back.

Takes a studio folder, an archive and a series; gives plain objects. What is applied is one input that holds the head,
its held-out figures and whether it may act; it counts from the next cycle that nothing has been begun of yet, and a
running series takes it up by itself. Whether it may act is not asked of anybody: it follows from the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gen_emerge.candidacy import House, open_house, open_store
from gen_emerge.chance import draw
from gen_emerge.config import SeriesConfig
from gen_emerge.config.tables import MEASURES
from gen_emerge.errors import BadInput, nearest
from gen_emerge.heads import KIND, Heads, Version
from gen_emerge.preference.head import Head, head_hash
from gen_emerge.preference.head_fit import IMPLICIT, Judgements, fit_head
from gen_emerge.preference.held_out import (
    COIN,
    LEAST_FORETOLD,
    Foretold,
    Gain,
    HeldOut,
    foretell,
    gained,
    joined,
    level_of,
    log_losses,
    weigh,
)
from gen_emerge.store import holder
from gen_emerge.taste import Evidence, evidence

LEAST_DEEDS = 20
"""Below so many deeds it is not tried whether they help."""
TOLD = 5
"""So many answers of the checklist are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trained:
    head: Head
    held: HeldOut
    found: Evidence
    deeds: Mapping[str, Any]
    rater: str | None
    look: int


def preview(root: Path, archive: Path, name: str, *, rater: str | None = None) -> dict[str, Any]:
    """Train a head and show what it foretells; the series stays as it is.

    Args:
        root: the studio folder.
        archive: the folder of all series.
        name: the series.
        rater: whose taste; None for what all raters have in common.

    Raises:
        NotFound, BadInput: there is no such series or rater, or too few answers: says what asks for more.
    """
    with closing(open_store(root, archive, name, readonly=True)) as store:
        house = open_house(root, archive, name, store)
        return {**_about(house, "previewed"), **_object(_train(house, rater), house.config)}


def apply(root: Path, archive: Path, name: str, *, rater: str | None = None) -> dict[str, Any]:
    """Train a head and make it the next version: in force from a coming cycle on, where it may act.

    Raises:
        NotFound, BadInput: as of `preview`; or the head that stands is the same.
    """
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        trained = _train(house, rater)
        found = _object(trained, house.config)
        plain = trained.head.as_plain()
        known = store.inputs_of(KIND)
        last = Heads(known).last
        if last is not None and last.hash == head_hash(plain) and last.active == found["active"]:
            raise BadInput(
                f"Nobody said anything new since version {last.number} was trained.",
                hint=f"Answer some more: gen-emerge rounds {name} --open rank4",
            )
        version = 1 if last is None else last.number + 1
        payload = {
            "did": "applied",
            "version": version,
            "hash": head_hash(plain),
            "active": found["active"],
            "reason": f"version {version} {'acts' if found['active'] else 'does not act'}: {found['why']}",
            "rater": rater,
            "space": house.in_force("novelty"),
            "critic": trained.found.critic,
            "bank_hash": trained.found.bank_hash,
            "answers": found["answers"],
            "held_out": found["held_out"],
            "deeds": found["deeds"],
            "head": plain,
        }
        return {**_about(house, "applied"), **found, **_ask(house, payload, known[-1].id if known else 0)}


def roll_back(root: Path, archive: Path, name: str, version: int) -> dict[str, Any]:
    """Bring an earlier version back, as a new one; 0 is the time before there was any. Nothing is deleted.

    Raises:
        NotFound, BadInput: there is no such version, it stands already, or it reads another scorer's embeddings.
    """
    with closing(open_store(root, archive, name)) as store:
        house = open_house(root, archive, name, store)
        known = store.inputs_of(KIND)
        heads = Heads(known)
        last = heads.last
        then: Version | None = next((each for each in heads if each.number == version), None)
        if last is None or (then is None and version != 0):
            numbers = [str(each.number) for each in heads]
            hint = f"There are 0 (none), {', '.join(numbers)}." if numbers else f"gen-emerge train reward {name}"
            raise BadInput(f"{name} has no head version {version}.", hint=hint)
        if last.number == version or (last.hash, last.active) == ((then.hash, then.active) if then else ("", False)):
            raise BadInput(f"What version {version} says stands already.", hint=f"See: gen-emerge status {name}")
        if then is not None and then.space not in ("", house.in_force("novelty")):
            raise BadInput(
                f"Version {version} reads embeddings of {then.space}; {house.in_force('novelty')} embeds now.",
                hint=f"Train anew: gen-emerge train reward {name}",
            )
        number = last.number + 1
        whole = then.whole if then is not None else None
        payload = {
            "did": "back",
            "version": number,
            "hash": then.hash if then is not None else "",
            "active": then is not None and then.active,
            "reason": f"version {number}: back to {'no head' if then is None else f'version {version}'}",
            **({"of": int(whole.payload["version"])} if whole is not None else {}),
        }
        asked = _ask(house, payload, known[-1].id)
        return {**_about(house, "back"), "to": version, "active": payload["active"], **asked}


def _ask(house: House, payload: Mapping[str, Any], newest: int) -> dict[str, Any]:
    asked = house.store.add_inputs([(KIND, payload)], unless=(KIND, newest))
    if not asked:
        raise BadInput(f"Another version of {house.name}'s head was asked for at this moment.", hint="Try again.")
    return {"version": payload["version"], "hash": payload["hash"], "from_cycle": asked[0].first_cycle}


def _about(house: House, did: str) -> dict[str, Any]:
    stands = Heads(house.store.inputs_of(KIND)).last
    return {
        "series": house.name,
        "did": did,
        "running": holder(house.folder) is not None,
        "stands": None if stands is None else {"version": stands.number, "active": stands.active},
    }


# ---- training ----------------------------------------------------------------------------------------------------


def _train(house: House, rater: str | None) -> _Trained:
    config = house.config
    found = evidence(
        house.store,
        house.state,
        seed=config.seed,
        space=house.in_force("novelty"),
        beside=frozenset({*MEASURES, *config.detectors.use}),
    )
    said = found.said
    _refuse_few(house.name, found, rater)
    # Every version that was applied was a look; a preview decides nothing.
    look = 1 + sum(item.payload["did"] == "applied" for item in house.store.inputs_of(KIND))
    rng = draw(config.seed, 0, 0, "reward")
    plain = foretell(found.looks, said, found.signals, rater=rater)
    told, deeds = plain, _deeds(found.did)
    if len(found.did) >= LEAST_DEEDS:
        more = foretell(found.looks, said, found.signals, rater=rater, beside=found.did)
        gain = _gain_of_deeds(said, plain, more, rng)
        deeds = {**deeds, "gain": asdict(gain), "used": gain.low > 0.0}
        told = more if gain.low > 0.0 else plain
    return _Trained(
        head=fit_head(found.looks, joined(said, found.did) if deeds["used"] else said, rater=rater),
        held=weigh(said, told, sure=config.reward.sure, rng=rng, look=look),
        look=look,
        found=found,
        deeds=deeds,
        rater=rater,
    )


def _refuse_few(name: str, found: Evidence, rater: str | None) -> None:
    said = found.said
    raters = sorted(set(said.rater.tolist()))
    if rater is not None and rater not in raters:
        hint = nearest(rater, raters) if raters else "Nobody has yet."
        raise BadInput(f'"{rater}" has compared no images of {name}.', hint=hint)
    mine = said.rater == rater if rater is not None else np.ones(len(said), dtype=np.bool_)
    decided = int(np.sum(mine & (said.outcome != 0)))
    if decided < LEAST_FORETOLD:
        ties = int(np.sum(mine)) - decided
        beside = [f"{ties} ties say nothing here"] if ties else []
        beside += [f"{found.left_out} are of images that today's scorer has not embedded"] if found.left_out else []
        more = f" ({'; '.join(beside)})" if beside else ""
        raise BadInput(
            f"{decided} comparisons that somebody decided; a head is trained on {LEAST_FORETOLD} or more{more}.",
            hint=f"Rank some, which gives six at a time: gen-emerge rounds {name} --open rank4",
        )


def _deeds(did: Judgements) -> dict[str, Any]:
    kinds = Counter(str(name).removeprefix(IMPLICIT) for name in did.rater.tolist())
    return {"comparisons": len(did), "kinds": dict(sorted(kinds.items())), "gain": None, "used": False}


def _gain_of_deeds(said: Judgements, plain: Foretold, more: Foretold, rng: np.random.Generator) -> Gain:
    seen = ~np.isnan(plain.head) & ~np.isnan(more.head)
    won = said.outcome[seen] == 1
    return gained(log_losses(plain.head[seen], won) - log_losses(more.head[seen], won), said.screen[seen], rng)


# ---- what is told ------------------------------------------------------------------------------------------------


def _object(trained: _Trained, config: SeriesConfig) -> dict[str, Any]:
    held, said = trained.held, trained.found.said
    counts = Counter(str(name) for name in said.rater.tolist())
    return {
        "rater": trained.rater,
        "active": held.better,
        "why": _why(held, level_of(trained.look)),
        "answers": {
            "comparisons": len(said),
            "ties": int(np.sum(said.outcome == 0)),
            "images": len(np.unique(np.concatenate([said.left, said.right]))),
            "raters": dict(sorted(counts.items())),
            "left_out": trained.found.left_out,
        },
        "held_out": {
            "level": level_of(trained.look),
            "foretold": held.foretold,
            "left_out": held.left_out,
            "screens": held.screens,
            "trained_on": round(held.trained),
            "best_signal": held.best_signal,
            "log_loss": dict(held.log_loss),
            "accuracy": dict(held.accuracy),
            "gains": {name: asdict(gain) for name, gain in held.gains.items()},
            "sure_from": config.reward.sure,
            "sure": held.sure,
            "sure_right": held.sure_right,
        },
        "deeds": dict(trained.deeds),
        "says": _says(trained.head),
        "settles": config.reward.use,
    }


def _why(held: HeldOut, level: float) -> str:
    if not held.enough:
        few = f"only {held.foretold} answers on {held.screens} screens could be foretold"
        return f"{few} by others that share no image with them"
    worst = min(held.gains, key=lambda name: (held.gains[name].low, name))
    gain = held.gains[worst]
    named = "a coin" if worst == COIN else f"the signal {worst}"
    figures = f"{gain.value:+.3f} nats an answer, {100 * level:.4g}% between {gain.low:+.3f} and {gain.high:+.3f}"
    if held.better:
        ahead = f"it foretells {held.foretold} held-out answers better than every signal"
        return f"{ahead}; least so against {named}: {figures}"
    return f"on {held.foretold} held-out answers it is not shown to beat {named}: {figures}"


def _says(head: Head) -> list[dict[str, Any]]:
    """What the answers of the checklist weigh, in log-odds: the clearest first."""
    first = head.basis.axes.shape[1]
    found: list[dict[str, Any]] = []
    for place, (question, answer) in enumerate(head.basis.questions, start=first):
        value = float(head.mean[place]) * head.basis.scale
        error = float(np.sqrt(max(head.covariance[place, place], 0.0))) * head.basis.scale
        found.append({"question": question, "answer": answer, "value": value, "error": error})
    found.sort(key=lambda each: (-abs(each["value"]) / max(each["error"], 1e-12), each["question"], each["answer"]))
    return found[:TOLD]
