"""The outline of a region on a picture, as SVG."""

from mmsteer.recipes.region import SIDE, Region


def outline(region: Region) -> str:
    """Its border as SVG, to be laid over the picture, with a button that lets the region go."""
    path = "".join(f"M{a} {b}L{c} {d}" for a, b, c, d in _border(region))
    return (
        f'<svg class="mm-region-border" viewBox="0 0 {2 * SIDE} {2 * SIDE}" preserveAspectRatio="none" aria-hidden="true">'
        f'<path d="{path}"/></svg><button type="button" class="mm-chip mm-everywhere" title="let the edits act everywhere again">'
        "✕ only here</button>"
    )


def _border(region: Region) -> list[tuple[int, int, int, int]]:
    """Lines between the middles of neighbouring sides that part a marked cell from one that is not: stairs become slopes.

    Returns:
        Ends `(x, y, x, y)` in half cells.
    """
    marked = {(x, y) for y, row in enumerate(region.rows) for x, cell in enumerate(row) if cell}
    lines = []
    for x in range(SIDE + 1):
        for y in range(SIDE + 1):  # where four cells meet
            around = [(cell in marked) for cell in ((x - 1, y - 1), (x, y - 1), (x, y), (x - 1, y))]
            steps = ((0, -1), (1, 0), (0, 1), (-1, 0))  # along the side between each of these cells and the next
            sides = [(2 * x + dx, 2 * y + dy) for k, (dx, dy) in enumerate(steps) if around[k] != around[(k + 1) % 4]]
            lines += [(*one, *other) for one, other in zip(sides[::2], sides[1::2], strict=True)]
    return lines
