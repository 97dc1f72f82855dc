"""RESULTS.md: attacks through the features of one modality, what stops them and what finds them."""

from mmsteer.studies.measures.shares import decimal
from mmsteer.studies.results.markdown import Figures, command, figure, interval, paragraphs, table

TITLE = "Adversarial examples: which modality is the soft spot?"
_QUESTIONS = ("R@1", "to caption", "to picture", "thing", "place", "position", "size")


def section(figures: Figures) -> str:
    """The section, from what `study adversarial` wrote."""
    sizes, others = figures["sizes"], figures["others"]
    measured = f"{sizes['seeds']} seeds of {sizes['pictures']} pictures among {figures['gallery']} pairs, {sizes['captions']} captions each"
    return paragraphs(
        command(figures, measured, "".join(f" --other-clip {other}" for other in others)),
        "Pictures are attacked by projected gradient descent on the real picture tower. The objective is their similarity to the own "
        "caption in an embedding of which only one class's part moves: vision-only, language-only or cross-modal features, random "
        "latents of the same dictionary (as many, or with as much energy), or all of it. Pictures, random start, steps and budget are "
        "the same for all. Pictures have no language-only features; what the captions' dictionary reads in them stands for these.",
        str(figures["text"]).replace("\n", "\n\n"),
        *_pictures(figures, [f"{other}: R@1 lost" for other in others]),
        "### Captions: the worst single word",
        "One word is replaced so that every fact of the caption stays, out of all words for which this holds.",
        _table(figures["swaps"], {k: k for k in ("through", "R@1 lost", "to caption lost", "to picture lost", "similarity lost")}),
        "### Defence: a class set to zero before comparing",
        "*Adaptive*: the attacker knows what will be removed. Right answers, not losses.",
        _table(figures["defences"], {k: k for k in ("attack through", "removed", "R@1", "recognition", "R@1 gained by removal")}),
        "### Detection",
        f"AUC at budget {figures['shown']}, in brackets the share of attacks caught at one false alarm in a hundred. Mahalanobis distances "
        "from the codes, or embeddings, of clean pictures; the error of the dictionary's reconstruction.",
        _detectors(figures),
        "How often features fire that attacks raise most, in clean and in attacked pictures:",
        _table(figures["features"], {k: k for k in ("attack through", "feature", "modality", "clean", "attacked")}),
        figure("adversarial", "R@1 lost against the budget, in the attacked CLIP and in others, and detection"),
        "![Pictures, the same pictures attacked through each modality, and the difference amplified](adversarial.webp)",
    )  # fmt: skip


def _pictures(figures: Figures, elsewhere: list[str]) -> list[str]:
    """Attacks on pictures: away from the own caption, by budget, towards another one, and compared."""
    shown = [row for row in figures["attacks"] if row["budget"] == figures["shown"]]
    away, towards = ([row for row in shown if row["goal"] == goal] for goal in ("away", "towards"))
    others = dict(zip(elsewhere, figures["others"], strict=True))
    lost = {f"{question} lost": question for question in _QUESTIONS} | {"PSNR": "PSNR, dB", "SSIM": "SSIM"}
    target = {"nearer to the target": "nearer", "read as the target": "read", "R@1 lost": "R@1 lost"}
    compared = {
        "budget": "budget",
        "attack through": "through",
        "more than": "more than",
        "R@1 lost": "R@1",
        "recognition lost": "recognition",
    }
    return [
        f"### Away from the own caption, budget {figures['shown']} of 255",
        "Right answers lost, as a share of all: retrieval in both directions and zero-shot recognition of each factor"
        + (", and R@1 lost in another CLIP of this world." if others else "."),
        _table(away, {"through": "through", "steps": "steps"} | lost | others),
        "### R@1 lost, by budget",
        _budgets(figures),
        "### Towards a caption that differs in one factor",
        "*Nearer*: the picture is nearer to the target than to its own caption; *read*: recognition of that factor names the target's "
        "value.",
        _table(towards, {"through": "through", "steps": "steps"} | target),
        "### On the same pictures, how much more one costs than another",
        _table(figures["comparisons"], compared | others),
    ]  # fmt: skip


def _table(rows: list[Figures], columns: dict[str, str]) -> str:
    """Rows as Markdown; columns by key with their titles."""
    return table(list(columns.values()), [[_cell(row[key]) for key in columns] for row in rows])


def _cell(value: object) -> str:
    if isinstance(value, dict) or value is None:
        return interval(value, 1 if value and value["value"] > 2 else 2)  # decibels are the only large ones
    return decimal(value) if isinstance(value, float) else str(value)


def _budgets(figures: Figures) -> str:
    rows: dict[tuple[str, int], list[str]] = {}
    for row in figures["attacks"]:
        if row["goal"] == "away":
            rows.setdefault((row["through"], row["steps"]), []).append(interval(row["R@1 lost"]))
    return table(
        ("through", "steps", *(f"{budget} of 255" for budget in figures["sizes"]["budgets"])),
        [[through, str(steps), *cells] for (through, steps), cells in rows.items()],
    )


def _detectors(figures: Figures) -> str:
    rows: dict[str, dict[str, str]] = {}
    for row in figures["detectors"]:
        if row["budget"] == figures["shown"]:
            cell = f"{decimal(row['auc']['value'])} ({decimal(row['caught']['value'])})"
            rows.setdefault(row["score"], {})[row["attack through"]] = cell
    attacks = list(dict.fromkeys(through for cells in rows.values() for through in cells))
    return table(
        ("score", *attacks), [[score, *(cells[through] for through in attacks)] for score, cells in rows.items()]
    )
