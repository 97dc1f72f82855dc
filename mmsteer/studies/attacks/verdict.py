"""What the figures of the study of attacks say, in sentences: rules and numbers alone, no opinion of any one run."""

from typing import Any

from mmsteer.bank import MODALITIES
from mmsteer.studies.attacks.controls import MANY, STRONG, cross_name, random_name
from mmsteer.studies.measures.shares import Share


def text(found: dict[str, Any]) -> str:
    """One paragraph a question: strength, fairness, transfer, defence, detection.

    Args:
        found: the figures of `study adversarial`, shares as `Share`.
    """
    return "\n".join(filter(None, (_strength(found), _matched(found), _transfer(found), _defence(found), _detection(found))))


def clearly(difference: Share, where: str = "is not clearly different from") -> str:
    """How one compares with another, in words, by whether the interval of the difference excludes 0."""
    return "costs more than" if difference.low > 0 else "costs less than" if difference.high < 0 else where


def attack_row(found: dict[str, Any], through: str, steps: int = 10, goal: str = "away") -> dict[str, Any]:
    """The attack through a channel at the budget shown."""
    wanted = (goal, through, steps, found["shown"])
    (row,) = (r for r in found["attacks"] if (r["goal"], r["through"], r["steps"], r["budget"]) == wanted)
    return dict(row)


def difference(found: dict[str, Any], one: str, other: str, measure: str = "R@1 lost") -> Share:
    """How much more one attack costs than another, whichever of the two the table has first."""
    for row in found["comparisons"]:
        if (row["attack through"], row["more than"]) == (one, other):
            share: Share = row[measure]
            return share
        if (row["attack through"], row["more than"]) == (other, one):
            share = row[measure]
            return Share(-share.value, -share.high, -share.low, share.trials)
    raise KeyError((one, other))


def soft_spot(found: dict[str, Any]) -> str | None:
    """The modality whose attack costs clearly more than those of both others; None if there is none."""
    for one in MODALITIES:
        if all(difference(found, one, other).low > 0 for other in MODALITIES if other != one):
            return one
    return None


def _strength(found: dict[str, Any]) -> str:
    lost = {name: attack_row(found, name)["R@1 lost"].value for name in (*MODALITIES, "all")}
    noise = attack_row(found, "noise", 0)["R@1 lost"].value
    spot = soft_spot(found)
    whole = difference(found, "cross", "all")
    return (
        f"At a budget of {found['shown']} of 255 and ten steps, R@1 of {found['clean']['R@1'].value:.2f} loses "
        + ", ".join(f"{lost[name]:.2f} through {_name(name)}" for name in (*MODALITIES, "all"))
        + f"; random noise of that size costs {noise:.2f}. "
        + (f"The soft spot is {spot}" if spot else "No modality is clearly the soft spot")
        + f"; attacking through cross-modal features alone {clearly(whole)} attacking the whole embedding."
    )


def _matched(found: dict[str, Any]) -> str:
    """Whether a class is stronger than random latents, and cross-modal features than vision-only ones at equal count and energy."""
    sentences = []
    for modality in MODALITIES:
        many, strong = (clearly(difference(found, modality, random_name(kind, modality))) for kind in (MANY, STRONG))
        sentences.append(f"{_name(modality)}: {many} as many random latents, {strong} as strong ones")
    many, strong = (clearly(difference(found, cross_name(kind, "vision"), "vision")) for kind in (MANY, STRONG))
    stronger = all(difference(found, "cross", random_name(kind, "cross")).low > 0 for kind in (MANY, STRONG))
    holds = soft_spot(found) == "cross" and stronger
    return (
        "An attack beside random latents of the same dictionary, "
        + "; ".join(sentences)
        + f". As many cross-modal features as there are vision-only ones: {many} these; as strong: {strong} these. That cross-modal "
        + f"features make the stronger attack {'holds here' if holds else 'does not hold here'} (they would have to cost more than both "
        "other modalities and than random latents of equal count and of equal energy)."
    )


def _transfer(found: dict[str, Any]) -> str:
    sentences = []
    for other in found["others"]:
        rows = {name: attack_row(found, name) for name in (*MODALITIES, "all")}
        lost = ", ".join(f"{row[f'{other}: R@1 lost'].value:.2f} ({_name(name)})" for name, row in rows.items())
        measure = f"{other}: R@1 lost"
        more = [
            name
            for name in ("vision", "language", "all", *(random_name(kind, "cross") for kind in (MANY, STRONG)))
            if difference(found, "cross", name, measure).low > 0
        ]
        than = f"more than {', '.join(more)}" if more else "more than no other"
        noise = attack_row(found, "noise", 0)[measure].value
        sentences.append(
            f"In {other} the same pictures lose {lost}; noise {noise:.2f}. There, attacks through cross-modal features cost clearly {than}."
        )
    return " ".join(sentences) or "Transfer to another CLIP was not measured: give --other-clip FOLDER."


def _defence(found: dict[str, Any]) -> str:
    rows = {(row["attack through"], row["removed"]): row for row in found["defences"]}
    sentences = []
    for modality in MODALITIES:
        plain, off = rows[modality, "nothing"]["R@1"].value, rows[modality, modality]
        price = rows["nothing", "nothing"]["R@1"].value - rows["nothing", modality]["R@1"].value
        aware = rows[f"{modality}, adaptive", modality]["R@1"].value
        sentences.append(
            f"{_name(modality)}: R@1 from {plain:.2f} to {off['R@1'].value:.2f} (gain {off['R@1 gained by removal']}), at a price of "
            f"{price:.2f} on clean pictures, and {aware:.2f} if the attacker knows of it"
        )
    return "Removing the attacked class before comparing, " + "; ".join(sentences) + "."


def _detection(found: dict[str, Any]) -> str:
    sentences = []
    for through in (*MODALITIES, "all"):
        rows = [
            r for r in found["detectors"] if r["attack through"] == through and r["budget"] == found["shown"]
        ]
        best = max(rows, key=lambda row: row["auc"].value)
        plain = next(row for row in rows if row["score"].startswith("embedding"))
        sentences.append(
            f"{_name(through)}: AUC {best['auc'].value:.2f} and {best['caught'].value:.0%} caught at 1 % false alarms by the best score "
            f"({best['score']}), {plain['auc'].value:.2f} and {plain['caught'].value:.0%} without a dictionary"
        )
    return "Detection of attacks at that budget, " + "; ".join(sentences) + "."


def _name(through: str) -> str:
    return {"vision": "vision-only", "language": "language-only", "cross": "cross-modal", "all": "the whole embedding"}.get(
        through, through
    )
