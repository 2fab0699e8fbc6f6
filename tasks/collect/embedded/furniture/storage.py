"""Makers of what things are kept in, and of kitchen and laundry machines."""

from __future__ import annotations

from tasks.collect.embedded.furniture.piece import DARK, METAL, WHITE, Maker, Piece, darker
from tasks.collect.embedded.materials import LAYER
from tasks.collect.embedded.meshes import Colour

FRONT_TONES: tuple[Colour, ...] = (WHITE, (0.78, 0.8, 0.8), (0.35, 0.45, 0.5), (0.45, 0.55, 0.47), (0.62, 0.45, 0.32))


def cabinet(m: Maker, category: str, w: float, h: float, d: float, columns: int, rows: int) -> Piece:
    """A closed body with doors or drawers."""
    wood = m.wood()
    m.box(0, 0, 0, w, 0.06, d - 0.04, darker(wood, 0.6), "wood")
    m.box(0, 0.06, -0.01, w, h - 0.06, d - 0.02, darker(wood, 0.9), "wood")
    m.fronts(w, 0.08, h - 0.02, d / 2 - 0.012, columns, rows, wood)
    return m.piece(category, (w, h, d))


def nightstand(m: Maker) -> Piece:
    """Two drawers and a small lamp."""
    piece = cabinet(m, "nightstand", m.between(0.4, 0.5), 0.5, 0.4, 1, 2)
    m.solids.column(0, 0.5, 0, 0.06, 0.16, 0.03, METAL)
    m.solids.column(0, 0.66, 0, 0.12, 0.16, 0.08, (1.0, 0.93, 0.78), glow=0.6)
    return piece


def wardrobe(m: Maker) -> Piece:
    """A tall wardrobe with two or three doors."""
    doors = int(m.rng.integers(2, 4))
    return cabinet(
        m, "wardrobe", 0.5 * doors + m.between(0.0, 0.2), m.between(1.95, 2.2), m.between(0.55, 0.62), doors, 1
    )


def dresser(m: Maker) -> Piece:
    """A chest of drawers with a vase."""
    w, h = m.between(0.9, 1.3), m.between(0.75, 0.95)
    piece = cabinet(m, "dresser", w, h, 0.45, 2, int(m.rng.integers(3, 5)))
    m.solids.column(w * 0.25, h, 0, 0.05, 0.22, 0.08, m.fabric()[1])
    return piece


def sideboard(m: Maker) -> Piece:
    """A long low cabinet."""
    w = m.between(1.2, 1.7)
    piece = cabinet(m, "sideboard", w, m.between(0.7, 0.85), 0.42, 3, 1)
    m.solids.blob(-w * 0.3, piece.size[1], 0, 0.09, 0.24, m.fabric()[1])
    return piece


def shoe_cabinet(m: Maker) -> Piece:
    """A shallow cabinet for a hallway."""
    return cabinet(m, "shoe cabinet", m.between(0.7, 1.1), m.between(0.8, 1.1), 0.26, 2, 2)


def filing_cabinet(m: Maker) -> Piece:
    """A metal cabinet of drawers."""
    m.box(0, 0, 0, 0.45, 1.3, 0.58, darker(METAL, 0.9))
    m.fronts(0.45, 0.04, 1.28, 0.292, 1, 4, METAL, "plaster")
    return m.piece("filing cabinet", (0.45, 1.3, 0.6))


def toy_chest(m: Maker) -> Piece:
    """A coloured chest with a lid."""
    name, colour = m.fabric()
    w = m.between(0.7, 0.95)
    m.box(0, 0, 0, w, 0.42, 0.42, colour, "panelling")
    m.box(0, 0.42, 0, w + 0.03, 0.04, 0.45, darker(colour, 0.8), "wood")
    return m.piece("toy chest", (w, 0.46, 0.45), name)


def bookshelf(m: Maker) -> Piece:
    """Rows of books between boards."""
    w, h, wood = m.between(0.8, 1.2), m.between(1.7, 2.15), m.wood()
    rows = int(h / 0.34)
    m.box(0, 0, -0.14, w, h, 0.02, darker(wood, 0.7), "wood")
    for sx in (-1, 1):
        m.box(sx * (w / 2 - 0.015), 0, 0, 0.03, h, 0.3, wood, "wood")
    for i in range(rows + 1):
        m.box(0, i * (h - 0.03) / rows, 0, w - 0.04, 0.03, 0.3, wood, "wood")
        if i < rows and m.rng.random() < 0.88:
            share = m.between(0.55, 0.98)
            wide = (w - 0.06) * share
            m.box(-(w - 0.06) / 2 + wide / 2, i * (h - 0.03) / rows + 0.03, -0.03, wide, 0.25, 0.18, (1, 1, 1), "books")
    return m.piece("bookshelf", (w, h, 0.3))


def rack(m: Maker) -> Piece:
    """Open metal shelves with boxes."""
    w, h = m.between(0.9, 1.3), m.between(1.6, 1.95)
    m.legs(w, 0.42, h, METAL, 0.035, 0.02)
    for i in range(4):
        y = 0.1 + i * (h - 0.15) / 3
        m.box(0, y, 0, w, 0.03, 0.42, METAL)
        for x in (-0.28, 0.05, 0.32):
            if i < 3 and m.rng.random() < 0.7:
                m.box(
                    x * w,
                    y + 0.03,
                    0,
                    0.26,
                    m.between(0.15, 0.34),
                    0.34,
                    darker((0.76, 0.6, 0.42), m.between(0.8, 1.1)),
                )
    return m.piece("storage rack", (w, h, 0.42))


def boxes(m: Maker) -> Piece:
    """Cardboard boxes on one another."""
    card = (0.74, 0.58, 0.4)
    w = m.between(0.5, 0.65)
    m.box(0, 0, 0, w, 0.4, 0.45, card)
    m.box(0, 0.4, 0, 0.06, 0.004, 0.44, (0.86, 0.78, 0.6))
    m.box(0.04, 0.4, 0.0, w * 0.75, 0.32, 0.36, darker(card, 0.9))
    return m.piece("cardboard boxes", (w, 0.72, 0.45))


def kitchen_unit(m: Maker, kind: str, tone: Colour, top: Colour) -> Piece:
    """60 cm of a kitchen's row: `counter`, `sink` or `stove`, all as deep and as high."""
    m.box(0, 0, -0.03, 0.6, 0.1, 0.52, darker(tone, 0.4))
    m.box(0, 0.1, -0.01, 0.6, 0.76, 0.58, darker(tone, 0.92))
    m.box(0, 0.86, 0, 0.6, 0.04, 0.62, top, "marble")
    if kind == "stove":
        m.box(0, 0.9, 0, 0.54, 0.006, 0.5, DARK)
        for x in (-0.13, 0.13):
            for z in (-0.12, 0.12):
                m.solids.column(x, 0.906, z, 0.09, 0.008, 0.09, (0.32, 0.3, 0.3))
        m.box(0, 0.22, 0.285, 0.54, 0.5, 0.02, DARK)
        m.box(0, 0.74, 0.3, 0.46, 0.03, 0.03, METAL)
    else:
        m.fronts(0.6, 0.12, 0.84, 0.288, 1 if kind == "counter" else 2, 3 if kind == "counter" else 1, tone, "plaster")
    if kind == "sink":
        m.box(0, 0.9, 0.02, 0.46, 0.008, 0.38, METAL)
        m.box(0, 0.902, 0.02, 0.4, 0.008, 0.32, darker(METAL, 0.5))
        m.solids.column(0, 0.9, -0.22, 0.02, 0.26, 0.02, METAL)
        m.box(0, 1.14, -0.14, 0.03, 0.03, 0.18, METAL)
    return m.piece({"counter": "kitchen counter"}.get(kind, kind), (0.6, 0.92, 0.62))


def wall_cupboard(m: Maker, tone: Colour) -> Piece:
    """60 cm of cupboard hung above a kitchen's row."""
    m.box(0, 1.45, 0, 0.6, 0.65, 0.34, darker(tone, 0.92))
    m.fronts(0.6, 1.46, 2.09, 0.172, 2, 1, tone, "plaster")
    return m.piece("wall cupboard", (0.6, 0.65, 0.36), floor=False, base=1.45)


def fridge(m: Maker) -> Piece:
    """A fridge with a freezer below."""
    colour = METAL if m.rng.random() < 0.5 else WHITE
    h = m.between(1.7, 1.95)
    m.box(0, 0.03, -0.02, 0.62, h, 0.6, darker(colour, 0.92))
    m.box(0, 0.06, 0.29, 0.61, 0.6, 0.03, colour)
    m.box(0, 0.68, 0.29, 0.61, h - 0.66, 0.03, colour)
    m.box(-0.25, 0.45, 0.315, 0.03, 0.18, 0.03, darker(METAL, 0.7))
    m.box(-0.25, 0.85, 0.315, 0.03, 0.4, 0.03, darker(METAL, 0.7))
    return m.piece("fridge", (0.64, h, 0.64))


def washing_machine(m: Maker) -> Piece:
    """A front loader."""
    m.box(0, 0, 0, 0.6, 0.86, 0.58, WHITE)
    m.box(0, 0.72, 0.292, 0.58, 0.11, 0.006, (0.8, 0.82, 0.84))
    m.box(0, 0.22, 0.295, 0.4, 0.4, 0.012, METAL)
    m.box(0, 0.27, 0.302, 0.3, 0.3, 0.012, (0.2, 0.24, 0.28))
    return m.piece("washing machine", (0.6, 0.86, 0.6))


def laundry_basket(m: Maker) -> Piece:
    """A round basket."""
    name, colour = m.fabric()
    m.solids.column(0, 0, 0, 0.2, 0.52, 0.25, colour, LAYER["fabric"])
    m.solids.column(0, 0.5, 0, 0.22, 0.06, 0.12, WHITE, LAYER["fabric"])
    return m.piece("laundry basket", (0.5, 0.56, 0.5), name)
