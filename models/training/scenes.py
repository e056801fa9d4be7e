# SPDX-License-Identifier: LGPL-2.1-or-later
"""Places and doings that captions name and no class stands for, so that no region can hold them back: a caption claims one if it has a
word of it, and it is there if somebody who saw the picture says so."""

from __future__ import annotations

import re
from functools import lru_cache

SCENES = {
    "spray": "fountains?|sprinklers?|hose|splash(es|ing|ed)?",
    "pool": "pools?|swim(s|ming)?",
    "sea": "beach(es)?|oceans?|sea|waves?|surf(s|ing|er|ers)?|shore|shoreline",
    "river": "rivers?|lakes?|creek|stream|pond|waterfalls?",
    "snow": "snow|snowy|snowboard(s|ing|er|ers)?|ski|skis|skiing|skiers?|sled(s|ding)?|ice|icy",
    "soccer": "soccer",
    "football": "football|rugby|lacrosse",
    "baseball": "baseball|softball|batter|pitcher",
    "basketball": "basketball",
    "tennis": "tennis|racquets?|rackets?",
    "hockey": "hockey",
    "volleyball": "volleyball",
    "skating": "skat(es|ing|er|ers|eboard|eboards|eboarder|eboarders|eboarding)|ramp|halfpipe",
    "climbing": "climb(s|ing|er|ers)?|cliffs?|rappel(s|ling)?",
    "mountains": "mountains?|mountainside",
    "playground": "trampoline|swings?|swinging|slides?|playground",
    "mud": "mud|muddy",
    "race": "races?|racing|racers?|racetrack",
    "stage": "stage|concert|guitars?|microphone|musicians?|drums?",
    "market": "market|parade|protest|festival",
    "dance": "dance(s|r|rs)?|dancing",
    "fire": "fire|fireworks|bonfire|campfire",
    "kitchen": "kitchen|counter",
    "bathroom": "bathroom|bathtub|shower",
    "living room": "living room|fireplace",
    "bedroom": "bedroom",
}
NAMES = list(SCENES)
WORDS = [re.compile(rf"\b({words})\b") for words in SCENES.values()]


@lru_cache(400_000)
def scenes_of(text: str) -> frozenset[str]:
    lower = text.lower()
    return frozenset(name for name, words in zip(NAMES, WORDS) if words.search(lower))


def claimed(caption: str, truths: list[str]) -> int:
    """How many scenes a caption names that none of those who saw the picture does."""
    return len(scenes_of(caption).difference(*map(scenes_of, truths)))
