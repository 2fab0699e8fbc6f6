"""Makers of what makes a room lived in: bathroom fixtures, lamps, plants, rugs, pictures, screens."""

from __future__ import annotations

from tasks.collect.embedded.furniture.piece import DARK, METAL, WHITE, Maker, Piece, darker
from tasks.collect.embedded.materials import LAYER, PICTURES


def toilet(m: Maker) -> Piece:
    """Bowl and tank."""
    m.box(0, 0.36, -0.26, 0.4, 0.42, 0.17, WHITE)
    m.solids.column(0, 0, 0.05, 0.13, 0.34, 0.2, WHITE)
    m.solids.column(0, 0.34, 0.05, 0.21, 0.07, 0.2, (0.97, 0.97, 0.96))
    m.box(0, 0, -0.2, 0.2, 0.36, 0.24, WHITE)
    return m.piece("toilet", (0.42, 0.78, 0.7))


def washbasin(m: Maker) -> Piece:
    """A basin on a cabinet, with a mirror above."""
    w, wood = m.between(0.6, 0.95), m.wood()
    m.box(0, 0.12, -0.01, w, 0.62, 0.42, darker(wood, 0.9), "wood")
    m.fronts(w, 0.14, 0.72, 0.21, 2, 1, wood)
    m.box(0, 0.74, 0, w + 0.02, 0.12, 0.46, WHITE)
    m.box(0, 0.855, 0.03, w * 0.6, 0.008, 0.28, (0.7, 0.73, 0.76))
    m.solids.column(0, 0.86, -0.16, 0.02, 0.14, 0.02, METAL)
    m.box(0, 0.99, -0.1, 0.03, 0.025, 0.14, METAL)
    m.box(0, 1.15, -0.215, w * 0.9, 0.75, 0.02, (0.75, 0.82, 0.86), glow=0.25)
    return m.piece("washbasin", (w + 0.02, 1.9, 0.46))


def bathtub(m: Maker) -> Piece:
    """A tub with water in it."""
    w, d = m.between(1.55, 1.75), m.between(0.7, 0.8)
    for z in (-d / 2 + 0.05, d / 2 - 0.05):
        m.box(0, 0, z, w, 0.56, 0.1, WHITE)
    for x in (-w / 2 + 0.06, w / 2 - 0.06):
        m.box(x, 0, 0, 0.12, 0.56, d, WHITE)
    m.box(0, 0, 0, w - 0.1, 0.38, d - 0.1, (0.62, 0.78, 0.82))
    m.solids.column(-w / 2 + 0.06, 0.56, 0, 0.02, 0.18, 0.02, METAL)
    m.box(-w / 2 + 0.12, 0.72, 0, 0.16, 0.03, 0.03, METAL)
    return m.piece("bathtub", (w, 0.6, d))


def shower(m: Maker) -> Piece:
    """A tray with a rail and a half-high screen."""
    m.box(0, 0, 0, 0.9, 0.1, 0.9, WHITE)
    m.box(0.2, 0, -0.42, 0.05, 2.0, 0.05, METAL)
    m.solids.column(0.2, 1.98, -0.26, 0.14, 0.04, 0.14, METAL)
    m.box(0.2, 2.0, -0.34, 0.03, 0.03, 0.2, METAL)
    m.box(0.44, 0.1, 0, 0.02, 1.85, 0.86, (0.72, 0.83, 0.84))
    return m.piece("shower", (0.9, 2.05, 0.9))


def plant(m: Maker) -> Piece:
    """A potted plant: bushy, or a small tree."""
    _, pot = m.fabric()
    h = m.between(0.7, 1.5)
    green = (m.between(0.25, 0.4), m.between(0.5, 0.68), m.between(0.2, 0.34))
    m.solids.column(0, 0, 0, 0.13, 0.3, 0.17, pot)
    m.solids.column(0, 0.3, 0, 0.025, h * 0.45, 0.02, (0.4, 0.28, 0.18), LAYER["wood"])
    m.solids.blob(0, 0.3 + h * 0.25, 0, 0.26, h * 0.6, green, LAYER["foliage"])
    m.solids.blob(0.1, 0.34, 0.05, 0.17, h * 0.45, darker(green, 0.85), LAYER["foliage"])
    m.solids.blob(-0.1, 0.36, -0.05, 0.18, h * 0.5, darker(green, 1.1), LAYER["foliage"])
    return m.piece("plant", (0.5, 0.3 + h * 0.85, 0.5))


def floor_lamp(m: Maker) -> Piece:
    """A standing lamp with a shade."""
    m.solids.column(0, 0, 0, 0.15, 0.03, 0.14, DARK)
    m.solids.column(0, 0.03, 0, 0.015, 1.35, 0.015, DARK)
    m.solids.column(0, 1.32, 0, 0.2, 0.28, 0.13, (1.0, 0.93, 0.78), glow=0.7)
    return m.piece("floor lamp", (0.36, 1.62, 0.36))


def rug(m: Maker) -> Piece:
    """A rug; it lies under other things and nobody walks around it."""
    name, colour = m.fabric()
    w, d = m.between(1.4, 2.3), m.between(1.1, 1.6)
    m.box(0, 0.001, 0, w, 0.012, d, darker(colour, 0.7), "fabric")
    m.solids.boxes.append((0, 0.0145, 0, w - 0.02, 0.003, d - 0.02, 0.0, LAYER["carpet"], *colour, 0, 0, 0.0))
    m.box(0, 0.016, 0, w * 0.8, 0.002, d * 0.75, darker(colour, 0.78), "carpet")
    m.box(0, 0.018, 0, w * 0.7, 0.002, d * 0.62, colour, "fabric")
    return m.piece("rug", (w, 0.02, d), name, floor=False)


def runner(m: Maker) -> Piece:
    """A narrow rug for a hallway."""
    name, colour = m.fabric()
    m.box(0, 0.001, 0, 2.2, 0.012, 0.7, darker(colour, 0.7), "fabric")
    m.box(0, 0.013, 0, 2.05, 0.003, 0.56, colour, "carpet")
    return m.piece("rug", (2.2, 0.02, 0.7), name, floor=False)


def tv(m: Maker) -> Piece:
    """A screen on a low board."""
    w, wood = m.between(1.2, 1.7), m.wood()
    m.box(0, 0, 0, w, 0.45, 0.4, darker(wood, 0.9), "wood")
    m.fronts(w, 0.04, 0.43, 0.2, 3, 1, wood)
    m.box(0, 0.45, -0.05, 0.3, 0.04, 0.2, DARK)
    m.box(0, 0.5, -0.05, 1.1, 0.64, 0.05, DARK)
    m.box(0, 0.53, -0.022, 1.05, 0.58, 0.004, (0.1, 0.12, 0.16), glow=0.3)
    return m.piece("television", (w, 1.15, 0.42))


def fireplace(m: Maker) -> Piece:
    """A chimney breast with a glowing hearth."""
    tone = (0.8, 0.77, 0.72)
    m.box(0, 0, -0.03, 1.4, 1.1, 0.34, tone, "brick")
    m.box(0, 0.12, 0.135, 0.8, 0.62, 0.02, DARK)
    m.box(0, 0.14, 0.148, 0.5, 0.22, 0.01, (1.0, 0.55, 0.2), glow=0.9)
    m.box(0, 1.1, 0, 1.6, 0.06, 0.42, m.wood(), "wood")
    return m.piece("fireplace", (1.6, 1.16, 0.42))


def coat_rack(m: Maker) -> Piece:
    """A pole with coats."""
    m.solids.column(0, 0, 0, 0.2, 0.03, 0.18, DARK)
    m.solids.column(0, 0.03, 0, 0.02, 1.7, 0.02, m.wood(), LAYER["wood"])
    for x, z in ((0.14, 0.04), (-0.1, 0.12), (-0.04, -0.14)):
        m.solids.column(x, 0.85, z, 0.15, 0.75, 0.06, m.fabric()[1], LAYER["fabric"])
    return m.piece("coat rack", (0.5, 1.75, 0.5))


def bin_(m: Maker) -> Piece:
    """A bin with a lid."""
    m.solids.column(0, 0, 0, 0.14, 0.42, 0.16, METAL)
    m.solids.column(0, 0.42, 0, 0.165, 0.05, 0.1, DARK)
    return m.piece("bin", (0.33, 0.48, 0.33))


def ball(m: Maker) -> Piece:
    """An exercise ball."""
    name, colour = m.fabric()
    r = m.between(0.26, 0.36)
    m.solids.blob(0, 0, 0, r, 2 * r, colour)
    return m.piece("exercise ball", (2 * r, 2 * r, 2 * r), name)


def picture(m: Maker) -> Piece:
    """A framed picture of this building."""
    w, h = m.between(0.5, 1.1), m.between(0.45, 0.85)
    y = 1.5 - h / 2
    number = m.pictures.pop() if len(m.pictures) > 1 else m.pictures[0]
    tint = m.wood() if m.rng.random() < 0.6 else DARK
    m.box(0, y - 0.04, 0.0, w + 0.08, h + 0.08, 0.03, tint, "wood")
    m.solids.panel(0, y, 0.018, w, h, (1.0, 1.0, 1.0), PICTURES + number, 0.25)
    return m.piece("picture", (w + 0.08, h + 0.08, 0.04), floor=False, base=y - 0.04)


def mirror(m: Maker) -> Piece:
    """A tall mirror (a pale pane: nothing is reflected)."""
    w = m.between(0.4, 0.65)
    m.box(0, 0.5, 0, w + 0.06, 1.3, 0.03, m.wood(), "wood")
    m.box(0, 0.53, 0.008, w, 1.24, 0.03, (0.74, 0.81, 0.85), glow=0.25)
    return m.piece("mirror", (w + 0.06, 1.3, 0.05), floor=False, base=0.5)


def clock(m: Maker) -> Piece:
    """A square wall clock."""
    m.box(0, 1.65, 0, 0.34, 0.34, 0.04, m.fabric()[1])
    m.box(0, 1.68, 0.006, 0.28, 0.28, 0.04, WHITE)
    m.box(0, 1.82, 0.012, 0.015, 0.11, 0.04, DARK)
    m.box(0.035, 1.815, 0.012, 0.08, 0.015, 0.04, DARK)
    return m.piece("clock", (0.34, 0.34, 0.06), floor=False, base=1.65)


def radiator(m: Maker) -> Piece:
    """A ribbed radiator."""
    w = m.between(0.7, 1.1)
    ribs = int(w / 0.09)
    for i in range(ribs):
        m.box((i - (ribs - 1) / 2) * 0.09, 0.12, 0, 0.06, 0.5, 0.08, WHITE)
    m.box(0, 0.17, -0.01, w, 0.05, 0.05, WHITE)
    m.box(0, 0.5, -0.01, w, 0.05, 0.05, WHITE)
    return m.piece("radiator", (w, 0.62, 0.1), floor=False, base=0.12)


def towel_rail(m: Maker) -> Piece:
    """A rail with a towel."""
    name, colour = m.fabric()
    m.box(0, 1.3, 0.03, 0.55, 0.03, 0.03, METAL)
    m.box(0.04, 0.75, 0.04, 0.36, 0.57, 0.035, colour, "fabric")
    return m.piece("towel", (0.55, 0.6, 0.1), name, floor=False, base=0.75)


def whiteboard(m: Maker) -> Piece:
    """A blank whiteboard."""
    m.box(0, 0.95, 0, 1.4, 0.85, 0.03, METAL)
    m.box(0, 0.99, 0.006, 1.32, 0.77, 0.03, (0.96, 0.97, 0.97))
    return m.piece("whiteboard", (1.4, 0.85, 0.04), floor=False, base=0.95)
