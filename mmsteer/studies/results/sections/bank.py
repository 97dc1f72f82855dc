"""RESULTS.md: how the features of the shipped bank are named."""

from mmsteer.labelling.naming.known_names import agrees, known_value
from mmsteer.studies.results.markdown import Figures, paragraphs, quoted
from mmsteer.world.factors import FACTORS, label
from mmsteer.world.scheme import SCHEME

TITLE = "Names in the shipped bank"


def section(bank: Figures) -> str:
    """The section, from the bank's own file."""
    named = [feature for feature in bank["features"] if feature["named_by"] == "truth"]
    agree = sum(agrees(feature["automatic"], feature["name"], SCHEME) for feature in named)
    names: dict[tuple[str, str] | None, list[str]] = {}
    for feature in named:
        names.setdefault(known_value(feature["name"], SCHEME), []).append(feature["name"])
    several = [of_concept for of_concept in names.values() if len(of_concept) > 1]
    absent: dict[bool, list[str]] = {True: [], False: []}
    for factor in FACTORS:
        for value in factor.values:
            if value != factor.neutral and (factor.name, value) not in names:
                absent[factor.modality == "vision"].append(label(factor.name, value))
    measured = [f["name"] for f in bank["features"] if f["named_by"] == "property" and f["modality"] == "vision"]
    return paragraphs(
        "`python -m mmsteer bank build` writes the bank and prints how names agree; these sentences are made from `bank.json`.",
        f"Automatic names need no known factors: of the {len(named)} features of the shipped bank named after a known factor, {agree} "
        "get an automatic name that says the same.",
        f"No feature detects {quoted(absent[False])} well enough to be named after it. {len(several)} concepts have two features or "
        f"more ({quoted(several[0][:2])}), where the cross-modal probe extended a second latent of either side.",
        f"Of the vision-only values, {quoted(absent[True])} have no feature named after them. Named by what is measured on their "
        f"pictures: {quoted(measured)}.",
    )
