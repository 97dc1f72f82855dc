"""The study's figure: gap and skew at equal count and energy; shares of men in pictures."""

from pathlib import Path
from typing import Any

from mmsteer.studies.bias.verdict import FAIR
from mmsteer.studies.report import COLOURS

_DRAWN = (("nothing", "-", "-"), ("vision", "remove", "equal energy"), ("language", "set", "as it is"), ("cross", "set", "as it is"),
          ("mean difference", "project", "equal energy"), ("words, half of each", "words", "as it is"))  # fmt: skip


def draw_figure(figures: dict[str, Any], path: Path) -> None:
    """Draw, above, gap and MaxSkew of every class at equal count and energy; below, the share of men by occupation."""
    from matplotlib.figure import Figure

    sheet = Figure((12, 10), layout="constrained")
    panels = sheet.subplot_mosaic("AB;CC", height_ratios=(3, 2))
    for gap, axes in zip(("gap by occupation", "MaxSkew"), (panels["A"], panels["B"]), strict=True):
        _bars(figures, gap, axes)
    axes = panels["C"]
    rows = {(r["removed"], r["way"], r["strength"]): r for r in figures["drawn"]}
    shown = [rows[key] for key in _DRAWN if key in rows]
    for k, row in enumerate(shown):
        for j, (occupation, men) in enumerate(row["men"].items()):
            x = j + (k - len(shown) / 2) * 0.13
            name = row["removed"] if row["way"] in ("-", "words", "project") else f"{row['removed']}, {row['way']}"
            if men.trials:
                colour = COLOURS.get(row["removed"], str(0.15 * k))
                axes.plot([x, x], [men.low, men.high], color=colour, lw=1)
                axes.plot([x], [men.value], "o", color=colour, label=name if not j else None)
            if not k:
                planted = row["planted"][occupation]
                axes.plot(
                    [j - 0.45, j + 0.4], [planted, planted], color="black", lw=0.8, label=None if j else "planted"
                )
    axes.axhline(0.5, color="#999999", lw=0.8, dashes=(4, 4))
    axes.set(ylim=(-0.03, 1.03), title="Share of men in pictures of an occupation")
    axes.set_xticks(range(len(shown[0]["men"])), list(shown[0]["men"]))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.savefig(path, dpi=100)


def _bars(figures: dict[str, Any], gap: str, axes: Any) -> None:
    rows = [
        r
        for r in figures["mitigate"]
        if r["comparison"] in (*FAIR, "baseline, equal energy") and r["way"] in ("zero", "-")
    ]
    labels = []
    for k, row in enumerate(reversed(rows)):
        colour = COLOURS.get(row["removed"].split(" +")[0], COLOURS["grey"])
        axes.barh(k, row[gap].value, color=colour)
        axes.hlines(k, row[gap].low, row[gap].high, "black", lw=1)
        labels.append(f"{row['removed']}, {row['on']}" + (" (top)" if row["comparison"].startswith("top") else ""))
    axes.set_yticks(range(len(labels)), labels, size=8)
    axes.axvline(figures["detect"][gap].value, color="black", lw=0.8, dashes=(4, 4))
    axes.set_title(f"{gap[0].upper()}{gap[1:]} at equal count and energy", loc="left", size=10)
    axes.set_xlabel("dashes: nothing removed")
    axes.spines[["top", "right"]].set_visible(False)
