"""Makers of tables, desks and things to do something at."""

from __future__ import annotations

from tasks.collect.embedded.furniture.piece import DARK, METAL, WHITE, Maker, Piece, darker
from tasks.collect.embedded.materials import LAYER


def table_top(m: Maker, category: str, w: float, h: float, d: float) -> Piece:
    """A rectangular top on four legs."""
    wood = m.wood()
    m.legs(w, d, h - 0.04, darker(wood, 0.92), 0.06)
    m.box(0, h - 0.04, 0, w, 0.04, d, wood, "wood")
    return m.piece(category, (w, h, d))


def dining_table(m: Maker) -> Piece:
    """Rectangular, or round on one foot, with a bowl on it."""
    if m.rng.random() < 0.3:
        r, wood = m.between(0.5, 0.62), m.wood()
        m.solids.column(0, 0, 0, 0.26, 0.04, 0.24, darker(wood, 0.9), LAYER["wood"])
        m.solids.column(0, 0.04, 0, 0.05, 0.66, 0.07, darker(wood, 0.9), LAYER["wood"])
        m.solids.column(0, 0.7, 0, r, 0.04, r, wood, LAYER["wood"])
        piece = m.piece("dining table", (2 * r, 0.74, 2 * r))
    else:
        piece = table_top(m, "dining table", m.between(1.2, 1.8), 0.74, m.between(0.8, 0.95))
    _, bowl = m.fabric()
    m.solids.column(0, 0.74, 0, 0.08, 0.08, 0.15, bowl)
    return piece


def coffee_table(m: Maker) -> Piece:
    """A low table with a shelf or of one block."""
    w, d, wood = m.between(0.8, 1.15), m.between(0.5, 0.62), m.wood()
    m.legs(w, d, 0.36, wood)
    m.box(0, 0.36, 0, w, 0.05, d, wood, "wood")
    m.box(0, 0.12, 0, w - 0.08, 0.03, d - 0.08, darker(wood, 0.85), "wood")
    _, cover = m.fabric()
    m.box(m.between(-0.2, 0.2), 0.41, 0.05, 0.22, 0.04, 0.16, cover)
    return m.piece("coffee table", (w, 0.42, d))


def desk(m: Maker) -> Piece:
    """A desk with drawers and a screen, to be used from its front."""
    w, d, wood = m.between(1.1, 1.5), m.between(0.6, 0.7), m.wood()
    m.box(0, 0.71, 0, w, 0.03, d, wood, "wood")
    m.box(w / 2 - 0.21, 0, 0, 0.4, 0.71, d - 0.06, darker(wood, 0.9), "wood")
    m.fronts(0.4, 0.05, 0.68, d / 2 - 0.03, 1, 3, wood, middle=w / 2 - 0.21)
    m.box(-w / 2 + 0.02, 0, 0, 0.04, 0.71, d - 0.06, darker(wood, 0.9), "wood")
    m.box(-0.1, 0.74, -0.12, 0.06, 0.12, 0.05, DARK)
    m.box(-0.1, 0.82, -0.12, 0.56, 0.34, 0.03, DARK)
    m.box(-0.1, 0.84, -0.103, 0.52, 0.29, 0.005, (0.35, 0.5, 0.62), glow=0.4)
    m.box(-0.1, 0.74, 0.12, 0.4, 0.02, 0.14, DARK)
    return m.piece("desk", (w, 1.15, d))


def piano(m: Maker) -> Piece:
    """An upright piano."""
    wood = (0.2, 0.13, 0.1) if m.rng.random() < 0.6 else (0.08, 0.08, 0.09)
    m.box(0, 0, -0.1, 1.45, 1.15, 0.38, wood, "wood")
    m.box(0, 0.62, 0.2, 1.4, 0.1, 0.28, wood, "wood")
    m.box(0, 0.72, 0.23, 1.25, 0.012, 0.16, WHITE)
    for i in range(12):
        m.box(-0.55 + 0.1 * i, 0.73, 0.2, 0.04, 0.012, 0.09, DARK)
    for sx in (-1, 1):
        m.box(sx * 0.66, 0, 0.24, 0.08, 0.62, 0.1, wood, "wood")
    m.box(0, 1.15, -0.1, 1.5, 0.03, 0.42, wood, "wood")
    return m.piece("piano", (1.5, 1.18, 0.68))


def treadmill(m: Maker) -> Piece:
    """A treadmill."""
    m.box(0, 0, 0.1, 0.7, 0.16, 1.5, DARK)
    m.box(0, 0.16, 0.15, 0.5, 0.015, 1.35, (0.3, 0.3, 0.32), "fabric")
    for sx in (-1, 1):
        m.box(sx * 0.34, 0.1, -0.6, 0.06, 1.15, 0.08, METAL)
        m.box(sx * 0.34, 0.85, -0.35, 0.05, 0.05, 0.5, METAL)
    m.box(0, 1.15, -0.6, 0.72, 0.22, 0.1, DARK)
    return m.piece("treadmill", (0.75, 1.4, 1.75))


def exercise_bike(m: Maker) -> Piece:
    """A stationary bicycle."""
    name, colour = m.fabric()
    m.box(0, 0, -0.4, 0.5, 0.06, 0.08, DARK)
    m.box(0, 0, 0.4, 0.5, 0.06, 0.08, DARK)
    m.box(0, 0.06, 0, 0.08, 0.1, 0.85, colour)
    m.box(0, 0.16, -0.25, 0.1, 0.55, 0.5, colour)
    m.box(0, 0.16, 0.2, 0.06, 0.65, 0.06, METAL)
    m.box(0, 0.8, 0.22, 0.2, 0.07, 0.28, DARK)
    m.box(0, 0.7, -0.38, 0.06, 0.4, 0.06, METAL)
    m.box(0, 1.08, -0.36, 0.46, 0.05, 0.16, DARK)
    return m.piece("exercise bike", (0.5, 1.15, 0.95), name)


def weight_bench(m: Maker) -> Piece:
    """A padded bench with a barbell on its stand."""
    name, colour = m.fabric()
    m.box(0, 0.36, 0.1, 0.3, 0.1, 1.15, colour, "fabric")
    m.legs(0.3, 1.1, 0.36, DARK)
    for sx in (-1, 1):
        m.box(sx * 0.45, 0, -0.4, 0.06, 1.0, 0.06, METAL)
        m.box(sx * 0.62, 0.85, -0.4, 0.1, 0.36, 0.36, DARK)
    m.box(0, 1.0, -0.4, 1.35, 0.03, 0.03, METAL)
    return m.piece("weight bench", (1.4, 1.2, 1.35), name)


def drum(m: Maker) -> Piece:
    """A drum kit: bass, side drums, cymbals."""
    name, colour = m.fabric()
    m.solids.column(0, 0.02, 0, 0.3, 0.5, 0.3, colour)
    for sx in (-1, 1):
        m.solids.column(sx * 0.42, 0.4, 0.05, 0.17, 0.22, 0.17, colour)
        m.solids.column(sx * 0.42, 0, 0.05, 0.02, 0.4, 0.02, METAL)
        m.solids.column(sx * 0.5, 0, -0.3, 0.015, 1.0, 0.015, METAL)
        m.solids.column(sx * 0.5, 1.0, -0.3, 0.22, 0.02, 0.03, (0.8, 0.68, 0.3))
    m.solids.column(0, 0.52, 0, 0.19, 0.16, 0.19, WHITE)
    return m.piece("drum kit", (1.4, 1.05, 0.9), name)


def toy_table(m: Maker) -> Piece:
    """A low round table for children with blocks on it."""
    name, colour = m.fabric()
    m.solids.column(0, 0, 0, 0.14, 0.44, 0.1, WHITE)
    m.solids.column(0, 0.44, 0, 0.42, 0.05, 0.42, colour)
    for x, z, h in ((-0.15, 0.1, 0.08), (0.1, 0.12, 0.14), (0.05, -0.15, 0.08)):
        m.box(x, 0.49, z, 0.08, h, 0.08, m.fabric()[1])
    return m.piece("play table", (0.84, 0.5, 0.84), name)


def ironing_board(m: Maker) -> Piece:
    """A board on crossed legs."""
    name, colour = m.fabric()
    m.box(0, 0.85, 0, 1.2, 0.04, 0.34, colour, "fabric")
    for sx in (-1, 1):
        m.box(sx * 0.3, 0, 0, 0.04, 0.86, 0.04, METAL)
        m.box(sx * 0.3, 0, 0, 0.04, 0.03, 0.34, METAL)
    m.box(0.3, 0.89, 0, 0.24, 0.12, 0.1, WHITE)
    return m.piece("ironing board", (1.2, 1.0, 0.36), name)
