"""What the human (and the critic) prefer: rounds of questions, answers, Bradley-Terry, who would win.

Takes ids, duels and answers; gives questions, verdicts and rankings. Never touches pixels or the store.
SciPy is imported by the first fit, not before.
"""

from __future__ import annotations

from gen_emerge.preference.answers import Undo, is_complete, parse_answers
from gen_emerge.preference.bradley_terry import Fit, NotIdentified, fit_bradley_terry
from gen_emerge.preference.choosing import choose_groups, choose_pairs
from gen_emerge.preference.comparisons import Comparison, Comparisons, from_ranking
from gen_emerge.preference.pairs import Contest
from gen_emerge.preference.ranking import DuelPreference
from gen_emerge.preference.rounds import Material, open_round
from gen_emerge.preference.verdicts import as_duels, decisions

__all__ = [
    "Comparison",
    "Comparisons",
    "Contest",
    "DuelPreference",
    "Fit",
    "Material",
    "NotIdentified",
    "Undo",
    "as_duels",
    "choose_groups",
    "choose_pairs",
    "decisions",
    "fit_bradley_terry",
    "from_ranking",
    "is_complete",
    "open_round",
    "parse_answers",
]
