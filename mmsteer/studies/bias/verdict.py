"""The study's findings as plain sentences, made from its figures alone."""

from typing import Any

from mmsteer.studies.measures.shares import Share, decimal

FAIR = ("equal count and energy", "top, equal energy")
"""The comparisons at equal count and energy, by which the claim is judged."""
GAPS = ("gap by occupation", "MaxSkew")
NAMES = {"vision": "vision-only", "language": "language-only", "cross": "cross-modal"}
_ON = {"vision": "pictures", "language": "captions"}
_DEAREST = 0.05  # of accuracy, other factors and R@1, in the sentence on the best way
Row = dict[str, Any]


def text(figures: Row) -> str:
    """What the study finds, in one paragraph."""
    by_class = [_of_class(figures, name) for name in NAMES]
    return " ".join(
        [
            _claim(figures),
            *by_class,
            _start(figures),
            _carried(figures),
            _asymmetry(figures),
            _best(figures),
            _drawn(figures),
        ]
    )


def fair_rows(figures: Row, name: str) -> list[Row]:
    """The rows in which a class is compared with random features at equal count and energy."""
    return [r for r in figures["mitigate"] if r["comparison"] in FAIR and r["removed"] == name and "over random" in r]


def counts(rows: list[Row], gap: str) -> tuple[int, int]:
    """In how many rows a gap is narrower, and in how many wider, than with random features: 95 % intervals exclude 0."""
    over = [row["over random"][gap] for row in rows]
    return sum(s.high < 0 for s in over), sum(s.low > 0 for s in over)


def holds(figures: Row, name: str) -> bool:
    """Whether both gaps are narrower than with random features in more than half of the comparisons of a class."""
    rows = fair_rows(figures, name)
    return bool(rows) and all(2 * counts(rows, gap)[0] > len(rows) for gap in GAPS)


def _start(figures: Row) -> str:
    found, plain = figures["detect"], figures["drawn"][0]
    return (
        f"With nothing removed, zero-shot detection is right for {_f(found['men'])} of the men and {_f(found['women'])} of the "
        f"women, with a gap of {_f(found['gap by occupation'])} within an occupation; where the prompt names the occupation, it is "
        f"right for {_f(found['accuracy, occupation named'])}. Of the top of an occupation query "
        f"{_f(found['usual in top K'])} are of the gender that is usual there. Pictures of an occupation lie "
        f"{_f(plain['from one half'])} from one half; the planted bias is {decimal(figures['planted'] - 0.5)}."
    )


def _of_class(figures: Row, name: str) -> str:
    rows = fair_rows(figures, name)
    if not rows:
        return f"There is nothing to compare for {NAMES[name]} features."
    gap, skew = (counts(rows, key) for key in GAPS)
    return (
        f"Without {NAMES[name]} features, the gap is narrower than without as many and as strong random ones in {gap[0]} and wider "
        f"in {gap[1]} of {len(rows)} comparisons, the skew of queries smaller in {skew[0]} and larger in {skew[1]}."
    )


def _claim(figures: Row) -> str:
    good = [NAMES[name] for name in NAMES if holds(figures, name)]
    if good:
        return f"The claim that removing a class of features reduces gender bias holds here for {' and '.join(good)} features."
    partly = [NAMES[n] for n in NAMES for gap in GAPS if (c := counts(fair_rows(figures, n), gap))[0] > 0 and not c[1]]
    part = f"; in part, and for one of the two figures at a time, for {' and '.join(dict.fromkeys(partly))} ones"
    return (
        "The claim that removing a class of features reduces gender bias does not hold here for any class: at equal count and energy, "
        "none narrows both the gap of detection and the skew of queries more than random features do in more than half of the "
        f"comparisons{part if partly else ''}."
    )


def _carried(figures: Row) -> str:
    """What a probe reads of gender from the codes of each class."""
    by_side = {}
    for side in ("image", "text"):
        rows = [r for r in figures["probes"] if r["side"] == side]
        by_side[side] = ", ".join(f"{_f(r['accuracy'])} from {NAMES[r['class']]} ones" for r in rows)
    return (
        f"A probe reads gender from the codes of pictures with an accuracy of {by_side['image']}, from those of captions that name it "
        f"with {by_side['text']}; chance is one half."
    )


def _asymmetry(figures: Row) -> str:
    """The paper's finer claim: women suffer most without vision-only features, men without language-only ones."""
    parts = []
    for name, hurt, spared in (("vision", "women", "men"), ("language", "men", "women")):
        rows = [r for r in figures["mitigate"] if (r["removed"], r["on"]) == (name, _ON[name]) and r["way"] == "zero"]
        whole = next((r for r in rows if r["comparison"] == "whole"), None)
        if whole is None:
            continue
        change, sign = whole["changed"], 1 if hurt == "women" else -1
        over = [row["over random"]["gap"] for row in fair_rows(figures, name)]
        like = sum(sign * bound > 0 for s in over for bound in (s.low if sign > 0 else s.high,))
        unlike = sum(sign * bound < 0 for s in over for bound in (s.high if sign > 0 else s.low,))
        parts.append(
            f"without all {NAMES[name]} features accuracy changes by {_signed(change[hurt])} for {hurt} and by "
            f"{_signed(change[spared])} for {spared}, and the difference of the two shifts that way more than with random features "
            f"in {like}, and the other way in {unlike}, of {len(over)} comparisons at equal count and energy"
        )
    return (
        "The paper says that women lose more without vision-only features, and men without language-only ones; here, "
        f"{'; '.join(parts)}."
    )


def _best(figures: Row) -> str:
    """The smallest skew and the narrowest gap at little cost."""
    plain = figures["detect"]
    cheap = [
        row for row in figures["mitigate"]
        if all(row[cost].value >= plain[cost].value - _DEAREST for cost in ("accuracy", "other factors", "R@1"))
    ]  # fmt: skip
    parts = []
    for gap, word in (("gap by occupation", "narrows the gap"), ("MaxSkew", "lowers MaxSkew")):
        best = min(cheap, key=lambda row: row[gap].value, default=None)
        if best is not None:
            parts.append(
                f"what {word} most is {title(best)}, from {_f(plain[gap])} to {_f(best[gap])} (accuracy {_f(plain['accuracy'])} to "
                f"{_f(best['accuracy'])})"
            )
    return (
        f"Among everything that costs at most {decimal(_DEAREST)} of accuracy, of other factors and of R@1, {' and '.join(parts)}."
        if parts
        else ""
    )


def title(row: Row) -> str:
    """What a row of the mitigation table removes, in words."""
    if row["comparison"].startswith("baseline"):
        energy = ", at equal energy" if "equal" in row["comparison"] else ""
        return f"the baseline {row['removed']} on {row['on']}{energy}"
    name = " + ".join(NAMES.get(part, part) for part in row["removed"].split(" + "))
    return f"{name} features on {row['on']} ({row['comparison']}, {row['way']})"


def _drawn(figures: Row) -> str:
    rows = [r for r in figures["drawn"][1:] if r["from one half"].trials]
    features = [r for r in rows if r["removed"] in NAMES]
    plain = figures["drawn"][0]["from one half"]
    usable = [r for r in features if r["leak"].value <= 2 * _DEAREST]
    moved = [r for r in usable if r["from one half"].high < plain.low]
    words = next(r for r in figures["drawn"] if r["way"] == "words")
    mean = next(r for r in figures["drawn"] if (r["removed"], r["strength"]) == ("mean difference", "equal energy"))
    if not features:
        return "While drawing, no edit of a class leaves a person."
    best = min(features, key=lambda r: r["from one half"].value)
    found = (
        f"{len(moved)} of {len(features)} edits of a class move the shares towards one half beyond their interval with a leak of at "
        f'most {decimal(2 * _DEAREST)}; the one that moves them most, {NAMES[best["removed"]]} by "{best["way"]}" ({best["strength"]}), '
        f"reaches {_f(best['from one half'])} with a leak of {_f(best['leak'])} and the occupation in {_f(best['occupation shown'])}"
    )
    return (
        f"While drawing, {found}. The mean difference, pushed as far, reaches {_f(mean['from one half'])} (leak {_f(mean['leak'])}); "
        f"naming a man in one half of the prompts and a woman in the other {_f(words['from one half'])}; an even coin would show "
        f"{decimal(figures['even coin'])}."
    )


def _f(share: Share) -> str:
    return decimal(share.value)


def _signed(share: Share) -> str:
    return f"{share.value:+z.2f} [{share.low:+z.2f}, {share.high:+z.2f}]"
