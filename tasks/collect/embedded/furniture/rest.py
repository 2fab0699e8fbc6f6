"""Makers of what people sit and lie on."""

from __future__ import annotations

from tasks.collect.embedded.furniture.piece import DARK, METAL, WHITE, Maker, Piece, darker
from tasks.collect.embedded.materials import LAYER


def bed(m: Maker) -> Piece:
    """A single or double bed, its head at the wall."""
    w, d = float(m.rng.choice([1.0, 1.5, 1.7])), m.between(1.95, 2.1)
    wood, (name, cover) = m.wood(), m.fabric()
    m.box(0, 0, -d / 2 + 0.03, w, m.between(0.8, 1.15), 0.06, wood, "wood")
    m.box(0, 0.08, 0.02, w, 0.22, d - 0.05, darker(wood, 0.9), "wood")
    m.box(0, 0.3, 0.03, w - 0.04, 0.2, d - 0.1, WHITE, "fabric")
    m.box(0, 0.32, 0.28, w + 0.02, 0.21, d - 0.58, cover, "fabric")
    m.box(0, 0.53, -0.18, w, 0.03, 0.3, darker(cover, 0.75), "fabric")
    for x in (-w / 4, w / 4) if w > 1.2 else (0.0,):
        m.box(x, 0.5, -d / 2 + 0.32, min(w, 1.3) / 2 - 0.08, 0.12, 0.38, WHITE, "fabric")
    return m.piece("bed", (w, 1.0, d), name)


def seat_row(m: Maker, category: str, w: float, cushions: int) -> Piece:
    """A sofa or armchair."""
    d, arm = m.between(0.82, 0.95), m.between(0.14, 0.2)
    name, cover = m.fabric()
    m.box(0, 0.06, 0, w, 0.26, d, darker(cover, 0.9), "fabric")
    m.box(0, 0.06, -d / 2 + 0.1, w, m.between(0.7, 0.85), 0.2, cover, "fabric")
    for sx in (-1, 1):
        m.box(sx * (w / 2 - arm / 2), 0.06, 0, arm, 0.52, d, cover, "fabric")
    each = (w - 2 * arm) / cushions
    for i in range(cushions):
        x = (i + 0.5) * each - (w - 2 * arm) / 2
        m.box(x, 0.32, 0.1, each - 0.02, 0.13, d - 0.24, darker(cover, 1.05), "fabric")
        m.box(x, 0.45, -d / 2 + 0.26, each - 0.04, 0.34, 0.14, darker(cover, 0.97), "fabric")
    if cushions > 1 and m.rng.random() < 0.7:
        _, accent = m.fabric()
        m.box(w / 2 - arm - 0.2, 0.45, -d / 2 + 0.38, 0.36, 0.34, 0.12, accent, "fabric")
    return m.piece(category, (w, 0.82, d), name)


def sofa(m: Maker) -> Piece:
    """Two or three seats."""
    cushions = int(m.rng.integers(2, 4))
    return seat_row(m, "sofa", 0.45 + 0.58 * cushions, cushions)


def armchair(m: Maker) -> Piece:
    """One seat."""
    return seat_row(m, "armchair", m.between(0.8, 0.92), 1)


def chair(m: Maker) -> Piece:
    """A dining chair."""
    wood, seat = m.wood(), m.between(0.43, 0.47)
    m.legs(0.42, 0.42, seat, wood, 0.04, 0.03)
    m.box(0, seat, 0, 0.42, 0.04, 0.42, darker(wood, 1.05), "wood")
    for x in (-0.18, 0.18):
        m.box(x, seat, -0.19, 0.04, 0.45, 0.035, wood, "wood")
    m.box(0, seat + 0.2, -0.19, 0.4, 0.24, 0.025, wood, "wood")
    return m.piece("chair", (0.42, 0.92, 0.42))


def office_chair(m: Maker) -> Piece:
    """A swivel chair on a star of feet."""
    name, cover = m.fabric()
    m.box(0, 0.03, 0, 0.56, 0.05, 0.06, DARK)
    m.box(0, 0.03, 0, 0.06, 0.05, 0.56, DARK)
    m.solids.column(0, 0.05, 0, 0.035, 0.4, 0.03, METAL)
    m.box(0, 0.44, 0, 0.5, 0.09, 0.48, cover, "fabric")
    m.box(0, 0.6, -0.22, 0.46, 0.5, 0.07, cover, "fabric")
    for sx in (-1, 1):
        m.box(sx * 0.25, 0.66, 0, 0.05, 0.04, 0.3, DARK)
    return m.piece("office chair", (0.56, 1.1, 0.56), name)


def bench(m: Maker) -> Piece:
    """A low bench with a cushion."""
    w, wood, (name, cover) = m.between(0.9, 1.3), m.wood(), m.fabric()
    m.legs(w, 0.38, 0.4, wood)
    m.box(0, 0.38, 0, w, 0.05, 0.38, wood, "wood")
    m.box(0, 0.43, 0, w - 0.06, 0.06, 0.34, cover, "fabric")
    return m.piece("bench", (w, 0.5, 0.38), name)


def stool(m: Maker) -> Piece:
    """A round stool."""
    name, cover = m.fabric()
    m.solids.column(0, 0, 0, 0.15, 0.42, 0.12, m.wood(), LAYER["wood"])
    m.solids.column(0, 0.42, 0, 0.18, 0.07, 0.17, cover, LAYER["fabric"])
    return m.piece("stool", (0.36, 0.5, 0.36), name)


def bean_bag(m: Maker) -> Piece:
    """A soft bag to sink into."""
    name, cover = m.fabric()
    r = m.between(0.38, 0.46)
    m.solids.blob(0, 0, 0, r, 0.55, cover, LAYER["fabric"])
    m.solids.blob(0, 0.25, -0.14, r * 0.7, 0.5, darker(cover, 0.95), LAYER["fabric"])
    return m.piece("bean bag", (2 * r, 0.75, 2 * r), name)


def crib(m: Maker) -> Piece:
    """A child's bed with bars."""
    wood = m.wood()
    _, cover = m.fabric()
    m.legs(1.2, 0.65, 0.95, wood)
    m.box(0, 0.3, 0, 1.12, 0.14, 0.58, cover, "fabric")
    for sz in (-1, 1):
        m.box(0, 0.9, sz * 0.29, 1.2, 0.05, 0.04, wood, "wood")
        for i in range(9):
            m.box((i - 4) * 0.13, 0.3, sz * 0.29, 0.025, 0.6, 0.025, wood, "wood")
    for sx in (-1, 1):
        m.box(sx * 0.57, 0.3, 0, 0.03, 0.62, 0.6, wood, "wood")
    return m.piece("crib", (1.2, 0.95, 0.65))
