"""What the figures of the study of attacks say, in sentences: rules and numbers alone, no opinion of any one run."""

from typing import Any

from mmsteer.bank import MODALITIES
from mmsteer.studies.attacks.controls import MANY, STRONG, cross_name, random_name
from mmsteer.studies.measures.shares import Share, decimal

_KIN = 0.3  # independent CLIPs of this world are below 0.1


def text(figures: dict[str, Any]) -> str:
    """One paragraph a question: strength, fairness, transfer, defence, detection.

    Args:
        figures: the figures of `study adversarial`, shares as `Share`.
    """
    return "\n".join(
        filter(
            None, (_strength(figures), _matched(figures), _transfer(figures), _defence(figures), _detection(figures))
        )
    )


def compared(difference: Share) -> str:
    """How the cost of one attack compares with another's, by whether the interval of the difference excludes 0."""
    return (
        "more than" if difference.low > 0 else "less than" if difference.high < 0 else "not clearly more or less than"
    )


def attack_row(figures: dict[str, Any], through: str, steps: int = 10, budget: int | None = None) -> dict[str, Any]:
    """The attack away from the own caption through a channel, at the budget shown unless another is given."""
    wanted = ("away", through, steps, budget or figures["shown"])
    (row,) = (r for r in figures["attacks"] if (r["goal"], r["through"], r["steps"], r["budget"]) == wanted)
    return dict(row)


def difference(
    figures: dict[str, Any], one: str, other: str, measure: str = "R@1 lost", budget: int | None = None
) -> Share:
    """How much more one attack costs than another, whichever of the two the table has first."""
    for row in figures["comparisons"]:
        if row["budget"] != (budget or figures["shown"]):
            continue
        share: Share = row[measure]
        if (row["attack through"], row["more than"]) == (one, other):
            return share
        if (row["attack through"], row["more than"]) == (other, one):
            return Share(-share.value, -share.high, -share.low, share.trials)
    raise KeyError((one, other))


def soft_spot(figures: dict[str, Any]) -> str | None:
    """The modality whose attack costs clearly more than those of both others; None if there is none."""
    for one in MODALITIES:
        if all(difference(figures, one, other).low > 0 for other in MODALITIES if other != one):
            return one
    return None


def _strength(figures: dict[str, Any]) -> str:
    lost = {name: attack_row(figures, name)["R@1 lost"].value for name in (*MODALITIES, "all")}
    noise = attack_row(figures, "noise", 0)["R@1 lost"].value
    spot = soft_spot(figures)
    soft = f"The soft spot is {_name(spot)}" if spot else "No modality is clearly the soft spot"
    each = ", ".join(f"{decimal(value)} through {_name(name)}" for name, value in lost.items())
    return (
        f"At a budget of {figures['shown']} of 255 and ten steps, R@1 of {decimal(figures['clean']['R@1'].value)} loses {each}; random "
        f"noise of that size costs {decimal(noise)}. {soft}. "
        f"Attacking through cross-modal features alone costs {compared(difference(figures, 'cross', 'all'))} attacking the whole embedding."
    )


def _matched(figures: dict[str, Any]) -> str:
    """Whether a class is stronger than random latents, and cross-modal features than vision-only ones at equal count and energy."""
    sentences = []
    for modality in MODALITIES:
        many, strong = (compared(difference(figures, modality, random_name(kind, modality))) for kind in (MANY, STRONG))
        sentences.append(f"{_name(modality)}, {many} as many and {strong} as strong ones")
    many, strong = (compared(difference(figures, cross_name(kind, "vision"), "vision")) for kind in (MANY, STRONG))
    stronger = all(difference(figures, "cross", random_name(kind, "cross")).low > 0 for kind in (MANY, STRONG))
    holds = soft_spot(figures) == "cross" and stronger
    return (
        f"Beside random latents of the same dictionary, attacks cost: {'; '.join(sentences)}. As many cross-modal features as there are "
        f"vision-only ones cost {many} these, as strong ones {strong} these. That cross-modal features make stronger attacks "
        f"{'holds' if holds else 'does not hold'} here: they would have to cost more than both other modalities and than random latents "
        "of equal count and of equal energy."
    )


def _transfer(figures: dict[str, Any]) -> str:
    """At the largest budget, where most can carry over."""
    budget, sentences = max(figures["sizes"]["budgets"]), []
    for other in figures["others"]:
        measure = f"{other}: R@1 lost"
        rows = {name: attack_row(figures, name, budget=budget) for name in (*MODALITIES, "all")}
        lost = ", ".join(f"{decimal(row[measure].value)} through {_name(name)}" for name, row in rows.items())
        noise = attack_row(figures, "noise", 0, budget)[measure].value
        rivals = ("vision", "language", *(random_name(kind, "cross") for kind in (MANY, STRONG)))
        beaten = [name for name in rivals if difference(figures, "cross", name, measure, budget).low > 0]
        sentences.append(
            f"In the CLIP {other} (clean R@1 {decimal(figures['clean'][f'{other}: R@1'].value)}; {_kin(figures['kinship'][other])}) "
            f"the same pictures at a budget of {budget} lose "
            f"{lost}; noise {decimal(noise)}. That cross-modal features make more transferable attacks "
            f"{'holds' if len(beaten) == len(rivals) else 'does not hold'} there: they cost clearly more than "
            f"{', '.join(map(_name, beaten)) or 'none'} of the other modalities and the random latents."
        )
    return " ".join(sentences) or "Transfer to another CLIP was not measured: give --other-clip FOLDER."


def _kin(cosine: float) -> str:
    """What the mean cosine of the weights says of how independent another CLIP is."""
    return f"weights at a mean cosine of {decimal(cosine)}, {'from the same beginning' if cosine > _KIN else 'independent'}"


def _defence(figures: dict[str, Any]) -> str:
    rows = {(row["attack through"], row["removed"]): row for row in figures["defences"]}
    sentences = []
    for modality in MODALITIES:
        plain, off = rows[modality, "nothing"]["R@1"].value, rows[modality, modality]
        price = rows["nothing", "nothing"]["R@1"].value - rows["nothing", modality]["R@1"].value
        aware = rows[f"{modality}, adaptive", modality]["R@1"].value
        sentences.append(
            f"{_name(modality)}: R@1 from {decimal(plain)} to {decimal(off['R@1'].value)} (gain {off['R@1 gained by removal']}), at a "
            f"price of {decimal(price)} on clean pictures, and {decimal(aware)} if the attacker knows of it"
        )
    return "Removing the attacked class before comparing, " + "; ".join(sentences) + "."


def _detection(figures: dict[str, Any]) -> str:
    scores = {
        (row["score"], row["attack through"]): row for row in figures["detectors"] if row["budget"] == figures["shown"]
    }
    sentences = []
    for through in (*MODALITIES, "all"):
        names = ["embedding (no dictionary)", "reconstruction error"]
        if through != "all":
            names.insert(0, f"{through} code")
        each = (
            f"{decimal(row['auc'].value)}, {row['caught'].value:.0%} ({name})"
            for name in names
            if (row := scores[name, through])
        )
        sentences.append(f"{_name(through)}: {'; '.join(each)}")
    return (
        "Detection at that budget, AUC and share caught at 1 % false alarms. " + ". ".join(map(_upper, sentences)) + "."
    )


def _upper(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _name(through: str) -> str:
    return {
        "vision": "vision-only",
        "language": "language-only",
        "cross": "cross-modal",
        "all": "the whole embedding",
    }.get(through, through)
