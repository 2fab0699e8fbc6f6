"""Puts a route into words: English and Chinese, several phrasings by seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.collect.route import Step
from tasks.collect.vocabulary import CHINESE, CHINESE_COLOURS

Phrase = Callable[[Step, np.random.Generator], str]


def pick(rng: np.random.Generator, *options: str) -> str:
    """One of some phrasings."""
    return options[int(rng.integers(len(options)))]


def english(steps: list[Step], style: str, rng: np.random.Generator) -> str:
    """The instruction in English; `style` is plain, terse or rich."""
    told = [step for step in steps if style != "terse" or step.kind != "pass"]
    clauses = [english_clause(step, style, rng) for step in told]
    if style == "terse":
        return capital(", ".join(clauses)) + "."
    sentences, i = [], 0
    while i < len(clauses):
        take = 2 if i + 2 <= len(clauses) and rng.random() < 0.6 else 1
        joined = pick(rng, " and ", ", then ").join(clauses[i : i + take])
        lead = pick(rng, "", "", "then ", "next, ") if 0 < i < len(clauses) - take and style == "rich" else ""
        sentences.append(capital(lead + joined) + ".")
        i += take
    return " ".join(sentences)


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def english_clause(step: Step, style: str, rng: np.random.Generator) -> str:
    """One step in English."""
    thing = f"the {step.landmark.name}" if step.landmark else ""
    rich = style == "rich"
    if step.kind == "turn":
        return (
            pick(rng, "turn around", "make a U-turn")
            if step.side == "around"
            else pick(rng, f"turn {step.side}", f"go {step.side}")
        )
    if step.kind == "enter":
        way = pick(
            rng, f"go through the {step.through} into", f"walk through the {step.through} to", "enter", "go into"
        )
        return f"{way} the {step.room}"
    if step.kind == "climb":
        return pick(rng, f"go {step.side}stairs", f"walk {step.side} the stairs", f"take the stairs {step.side}")
    if step.kind == "pass":
        where = f" on your {step.side}" if rich or rng.random() < 0.5 else ""
        return pick(rng, "walk past", "pass", "go past") + f" {thing}{where}"
    if step.kind == "spin":
        return pick(rng, f"turn all the way round to the {step.side}", "stop for a moment and look all around")
    if step.kind == "back":
        return pick(rng, "turn around and go back the way you came", "walk back to where you came from")
    if step.kind == "loop":
        return pick(rng, "walk a full circle", "make a round trip", "walk around in a loop")
    if step.side == "start":
        return pick(rng, "stop where you started", "wait at your starting point", "stop at the place where you began")
    if thing:
        where = pick(rng, "next to", "by", "near")
        return pick(rng, "stop", "wait") + f" {where} {thing}" + (f" in the {step.room}" if rich and step.room else "")
    return pick(rng, "stop", "wait") + (f" in the {step.room}" if step.room else " there")


def chinese(steps: list[Step], style: str, rng: np.random.Generator) -> str:
    """The instruction in Chinese; `style` as in English."""
    told = [step for step in steps if style != "terse" or step.kind != "pass"]
    clauses = [chinese_clause(step, rng) for step in told]
    if style == "rich":
        clauses = [
            pick(rng, "", "", "然后", "接着") + c if 0 < i < len(clauses) - 1 else c for i, c in enumerate(clauses)
        ]
        clauses[-1] = pick(rng, "最后", "") + clauses[-1] if len(clauses) > 1 else clauses[-1]
    return "，".join(clauses) + "。"


def chinese_name(name: str) -> str:
    """Chinese for an English object name, with its colour; names that public scenes bring along stay as they are."""
    colour, _, rest = name.partition(" ")
    if name not in CHINESE and colour in CHINESE_COLOURS:
        return f"{CHINESE_COLOURS[colour]}的{CHINESE.get(rest, rest)}"
    return CHINESE.get(name, name)


def chinese_clause(step: Step, rng: np.random.Generator) -> str:
    """One step in Chinese."""
    thing = chinese_name(step.landmark.name) if step.landmark else ""
    room = chinese_name(step.room) if step.room else ""
    side = {"left": "左", "right": "右"}.get(step.side, "")
    if step.kind == "turn":
        return pick(rng, "掉头", "向后转") if step.side == "around" else pick(rng, f"向{side}转", f"{side}转")
    if step.kind == "enter":
        return pick(rng, f"穿过{chinese_name(step.through)}进入{room}", f"走进{room}", f"进入{room}")
    if step.kind == "climb":
        way = "上" if step.side == "up" else "下"
        return pick(rng, f"{way}楼", f"沿楼梯{way}楼", f"走楼梯{way}去")
    if step.kind == "pass":
        return pick(rng, f"经过{side}边的{thing}", f"从{thing}旁边走过", f"经过{thing}")
    if step.kind == "spin":
        return pick(rng, f"向{side}原地转一圈", "停下来环顾四周")
    if step.kind == "back":
        return pick(rng, "转身原路返回", "掉头往回走")
    if step.kind == "loop":
        return pick(rng, "绕一圈", "兜一个圈子")
    if step.side == "start":
        return pick(rng, "停在出发的地方", "回到起点停下")
    if thing:
        return pick(rng, f"停在{thing}旁边", f"在{thing}旁停下")
    return f"停在{room}里" if room else "停下"
