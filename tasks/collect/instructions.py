"""Puts a route into words: English and Chinese, several phrasings by seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tasks.collect.route import Step
from tasks.collect.vocabulary import CHINESE, CHINESE_COLOURS


def pick(rng: np.random.Generator, *options: str) -> str:
    """One of some phrasings."""
    return options[int(rng.integers(len(options)))]


def english(steps: list[Step], style: str, rng: np.random.Generator) -> str:
    """The instruction in English; `style` is plain, terse or rich."""
    told = for_style(steps, style)
    clauses = [english_clause(step, style, rng) for step in told]
    if style == "terse":
        return capital(", ".join(clauses)) + "."
    sentences, i, then = [], 0, False
    while i < len(clauses):
        pair = clauses[i : i + 2] if i + 2 <= len(clauses) and rng.random() < 0.6 else clauses[i : i + 1]
        joint = ", then " if any(" and " in clause for clause in pair) else pick(rng, " and ", ", then ")
        joint = joint if len(pair) == 2 else ""
        linked = style == "rich" and 0 < i < len(clauses) - len(pair) and not then and "then" not in joint
        lead = pick(rng, "", "", "then ", "next, ") if linked else ""
        sentences.append(capital(lead + joint.join(pair)) + ".")
        then = bool(lead) or "then" in joint
        i += len(pair)
    return " ".join(sentences)


def for_style(steps: list[Step], style: str) -> list[Step]:
    """The steps that a style tells.

    Of what is left out between them, two equal turns are one; who has just been told to enter a room need not hear its
    name again to stop; and of two rooms of a kind, one after the other, the second is the next.
    """
    told, entered = list[Step](), ""
    for step in steps:
        if (style == "terse" and step.kind == "pass") or (step.kind == "turn" and told and same_turn(told[-1], step)):
            continue
        told.append(replace(step, side="next") if step.kind == "enter" and step.room == entered else step)
        if step.kind in ("enter", "back", "climb"):
            entered = step.room
    last, before = told[-1], told[-2] if len(told) > 1 else None
    if last.kind == "stop" and before is not None and (before.kind, before.room) == ("enter", last.room):
        told[-1] = replace(last, room="")
    return told


def same_turn(one: Step, other: Step) -> bool:
    """Whether both are the same turn."""
    return (one.kind, one.side) == (other.kind, other.side)


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
            else pick(rng, f"turn {step.side}", f"take a {step.side}")
        )
    if step.kind == "enter":
        way = pick(
            rng, f"go through the {step.through} into", f"walk through the {step.through} to", "enter", "go into"
        )
        return f"{way} the {'next ' if step.side == 'next' else ''}{english_room(step.room)}"
    if step.kind == "climb":
        return pick(rng, f"go {step.side}stairs", f"walk {step.side} the stairs", f"take the stairs {step.side}")
    if step.kind == "pass":
        where = f" on your {step.side}" if rich or rng.random() < 0.5 else ""
        return pick(rng, "walk past", "pass", "go past") + f" {thing}{where}"
    if step.kind == "spin":
        return pick(rng, f"turn all the way round to the {step.side}", "pause and look all around")
    if step.kind == "back":
        return pick(rng, "turn around and go back the way you came", "walk back to where you came from")
    if step.kind == "loop":
        return pick(rng, "walk a full circle", "make a round trip", "walk around in a loop")
    if step.side == "start":
        return pick(rng, "stop where you started", "wait at your starting point", "stop at the place where you began")
    if thing:
        where = pick(rng, "next to", "by", "near")
        inside = f" in the {english_room(step.room)}" if rich and step.room else ""
        return pick(rng, "stop", "wait") + f" {where} {thing}{inside}"
    return pick(rng, "stop", "wait") + (f" in the {english_room(step.room)}" if step.room else " there")


def english_room(category: str) -> str:
    """What a room is called by those who walk through it."""
    return "stairwell" if category == "staircase" else category


def chinese(steps: list[Step], style: str, rng: np.random.Generator) -> str:
    """The instruction in Chinese; `style` as in English."""
    told = for_style(steps, style)
    clauses = [chinese_clause(step, rng) for step in told]
    if style == "terse":
        return "，".join(clauses) + "。"
    if style == "rich":
        clauses = linked(clauses, rng)
    sentences, i = [], 0
    while i < len(clauses):
        take = int(rng.integers(2, 5))
        # Nothing is left standing alone as a sentence of one clause.
        take = len(clauses) - i if len(clauses) - i - take < 2 else take
        sentences.append("，".join(clauses[i : i + take]) + "。")
        i += take
    return "".join(sentences)


def linked(clauses: list[str], rng: np.random.Generator) -> list[str]:
    """The clauses with a word of order before some, never the same word twice running."""
    found, word = clauses[:1], ""
    for clause in clauses[1:-1]:
        word = pick(rng, "", "", *(other for other in ("然后", "接着") if other != word))
        found.append(word + clause)
    return [*found, pick(rng, "最后", "") + clauses[-1]] if len(clauses) > 1 else found


def chinese_name(name: str) -> str:
    """Chinese for an English object name, with its colour; names that public scenes bring along stay as they are."""
    colour, _, rest = name.partition(" ")
    if name not in CHINESE and colour in CHINESE_COLOURS:
        noun = CHINESE.get(rest, rest)
        return f"{CHINESE_COLOURS[colour]}{'的' if len(noun) == 1 else ''}{noun}"
    return CHINESE.get(name, name)


def chinese_clause(step: Step, rng: np.random.Generator) -> str:
    """One step in Chinese."""
    thing = chinese_name(step.landmark.name) if step.landmark else ""
    room = chinese_name(step.room) if step.room else ""
    side = {"left": "左", "right": "右"}.get(step.side, "")
    if step.kind == "turn":
        return pick(rng, "掉头", "转身") if step.side == "around" else pick(rng, f"向{side}转", f"{side}转")
    if step.kind == "enter":
        room = f"另一间{room}" if step.side == "next" else room
        way = "房门" if step.through == "door" else chinese_name(step.through)
        return pick(rng, f"穿过{way}进入{room}", f"走进{room}", f"进入{room}")
    if step.kind == "climb":
        way = "上" if step.side == "up" else "下"
        return pick(rng, f"{way}楼", f"沿着楼梯{way}楼", f"走楼梯{way}去")
    if step.kind == "pass":
        of = "" if "的" in thing else "的"
        return pick(rng, f"经过{side}边{of}{thing}", f"从{thing}旁边走过", f"经过{thing}")
    if step.kind == "spin":
        return pick(rng, f"原地向{side}转一圈", "停下来环顾四周")
    if step.kind == "back":
        return pick(rng, "转身原路返回", "掉头往回走")
    if step.kind == "loop":
        return pick(rng, "绕一圈", "兜一圈")
    if step.side == "start":
        return pick(rng, "停在出发的地方", "回到起点停下")
    if thing:
        return pick(rng, f"停在{thing}旁边", f"在{thing}旁停下", f"在{thing}旁等候")
    return f"停在{room}里" if room else "停下"
