"""Fool the eye: a picture, the same picture attacked through the features of one modality, and what CLIP says of both.

Attack and defence come from `mmsteer.studies.attacks.attack`. The captions that CLIP chooses from differ from the picture's own in one
fact, so that a wrong answer is a wrong fact; a vaguer caption ("in the forest") would still be true of an attacked picture.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mmsteer.bank import FeatureBank
from mmsteer.errors import SteerError
from mmsteer.recipes.data_url import picture_url, recipe_url
from mmsteer.recipes.recipe import Recipe
from mmsteer.studies.results.grammar import with_articles
from mmsteer.ui.shared.badge import score_tooltip
from mmsteer.ui.shared.loading import attempt
from mmsteer.ui.shared.page_state import PageState
from mmsteer.ui.uses.payloads import AttackQuestion, attack_question

if TYPE_CHECKING:
    from PIL import Image

    from mmsteer.models.clip import Clip
    from mmsteer.steering.steerer import Steerer
    from mmsteer.studies.attacks.attack import AttackResult

STEPS = 10
AMPLIFIED = 16
SCOPES = {
    "vision": "vision-only features", "language": "language-only features", "cross": "cross-modal features",
    "all": "the whole embedding",
}  # fmt: skip
"""What an attack acts through -> in words."""
MISSING = "Attacks need the full CLIP that the bank was made with"
_TOP = 5  # captions that are shown
_MOVED = 8  # features that are shown
_FEW, _FROM_BANK = 8, 24  # with fewer captions that differ in one fact, so many of the bank stand beside them

Answers = list[tuple[str, float]]
"""Captions with their similarities, nearest first."""


class Attacks:
    """Answers to the second part's questions."""

    def __init__(self, page: PageState) -> None:
        self.bank, self.loading = page.bank, page.loading

    def open(self) -> dict[str, Any]:
        """What the browser learns when the tab is first selected: `{opened: {}}`; or `{error}`, which says what is missing."""

        def opened() -> dict[str, Any]:
            self.loading.run(lambda _: self.loading.reader().clip)
            return {}

        answer, error = attempt(opened)
        return {"error": f"{MISSING}: {error}"} if error else {"opened": answer}

    def attack(self, value: Any) -> dict[str, Any]:
        """The answer to an `AttackQuestion`.

        Returns:
            `{number, attacked: {…}}` with pictures, captions and features as the script shows them; or `{number, error}`.
        """

        def attacked() -> dict[str, Any]:
            question = attack_question(value)
            return self.loading.run(lambda steerer: self._attacked(steerer, self.loading.reader().clip, question))

        answer, error = attempt(attacked)
        number = value.get("number") if isinstance(value, dict) else None
        return {"number": number if type(number) is int else 0, **({"error": error} if error else {"attacked": answer})}

    def _attacked(self, steerer: "Steerer", clip: "Clip", question: AttackQuestion) -> dict[str, Any]:
        from mmsteer.studies.attacks.attack import attack

        recipe = Recipe(question.prompt, question.seed, steerer.sampler, (), steerer.origin)
        drawn = steerer.steer(recipe.prompt, (), recipe.seed)
        picture, unknown = drawn.before, f"The model does not know: {', '.join(drawn.unknown)}" if drawn.unknown else ""
        result = attack(
            clip, self.bank, picture, question.budget, STEPS, question.scope, caption=recipe.prompt, seed=recipe.seed
        )
        noise = _noise(clip, picture, question)
        x = {"before": result.before, "after": result.after, "noise": noise}
        captions = candidates(self.bank, recipe.prompt)
        answers = _answers(clip, self.bank, x, captions, "all")
        without = None if question.scope == "all" else _answers(clip, self.bank, x, captions, question.scope)
        return _shown(result, recipe, picture, question) | {
            "answers": {"all": answers, "without": without},
            "verdict": verdict(answers, question.scope),
            "defence": defence(answers, without, question.scope) if without else "",
            "moved": _moved(result),
            "unknown": unknown,
        }


def _noise(clip: "Clip", picture: "Image.Image", question: AttackQuestion) -> Any:
    """The embedding of the picture with random noise as large as the attack, `[d_joint]`: the control."""
    import torch

    from mmsteer.studies.attacks.pgd import bytes_read, embed_all, sign_noise

    generator = torch.Generator().manual_seed(question.seed)
    return embed_all(clip, sign_noise(bytes_read(clip, [picture]), question.budget, generator))[0]


def _answers(
    clip: "Clip", bank: FeatureBank, x: dict[str, Any], captions: Sequence[str], removed: Any
) -> dict[str, Answers]:
    """What CLIP says of each picture, with the features of a modality removed on both sides."""
    from mmsteer.studies.attacks.attack import top_captions

    return {name: top_captions(clip, row, captions, _TOP, bank=bank, removed=removed) for name, row in x.items()}


def _shown(result: "AttackResult", recipe: Recipe, picture: "Image.Image", question: AttackQuestion) -> dict[str, Any]:
    """The three pictures, with alternative texts and files to save."""
    name = f"{recipe.prompt}, seed {recipe.seed}"
    limit = f"no value differs by more than {question.budget} of 255"
    return {
        "pictures": [
            {"title": "the picture", "src": picture_url(result.picture, "PNG"), "alt": name,
             "file": {"name": "picture.png", "data": recipe_url(picture, recipe)}},
            {"title": "attacked", "src": picture_url(result.attacked, "PNG"),
             "alt": f"{name}, attacked through {SCOPES[question.scope]}: {limit}",
             "file": {"name": "attacked.png", "data": picture_url(result.attacked, "PNG")}},
            {"title": f"difference, {AMPLIFIED} times", "src": picture_url(result.difference(AMPLIFIED), "PNG"),
             "alt": f"The difference of both, {AMPLIFIED} times amplified around grey", "file": None},
        ],
        "about": f"{limit.capitalize()}; PSNR {result.psnr:.0f} dB, SSIM {result.ssim:.2f}",
    }  # fmt: skip


def _moved(result: "AttackResult") -> list[dict[str, Any]]:
    """The features that moved most, as the browser shows them."""
    return [
        {
            "id": m.feature.id, "name": m.feature.name, "modality": m.feature.modality, "before": max(0.0, m.before),
            "after": max(0.0, m.after), "scoreTooltip": score_tooltip(m.feature),
        } for m in result.moved[:_MOVED]
    ]  # fmt: skip


def verdict(answers: dict[str, Answers], scope: str) -> str:
    """Whether CLIP's first answer changes, and what random noise as large does, in two sentences."""
    before, after, noise = (answers[name][0][0] for name in ("before", "after", "noise"))
    first = (
        f"Fooled: CLIP's first answer changes from “{before}” to “{after}”."
        if before != after
        else f"Not fooled through {SCOPES[scope]}: CLIP's first answer stays “{before}”."
    )
    return f"{first} Random noise as large: “{noise}”."


def defence(answers: dict[str, Answers], without: dict[str, Answers], scope: str) -> str:
    """Whether the answer comes back once the attacked features are removed on both sides, in one or two sentences."""
    right, clean, attacked = answers["before"][0][0], without["before"][0][0], without["after"][0][0]
    fooled = answers["after"][0][0] != right
    lead = f"Without the {SCOPES[scope]} on both sides"
    if attacked == right:
        return f"{lead} the answer {'comes back' if fooled else 'stays'}: “{attacked}”."
    if clean != right:
        return (
            f"{lead} CLIP no longer knows even the picture as it was (“{clean}”): what it compares by has gone with them. "
            f"Of the attacked picture it says “{attacked}”."
        )
    return f"{lead} the answer does not come back: CLIP says “{attacked}” of the attacked picture."


def candidates(bank: FeatureBank, prompt: str) -> list[str]:
    """The captions that CLIP chooses from.

    Args:
        bank: whose features are named after the values of facts, and whose captions stand beside.
        prompt: the picture's own caption.

    Returns:
        The prompt, and the prompt with one fact changed to another value that a feature of the bank is named after; where that
        makes few, captions of the bank too, without words that no picture shows. Each once.

    Raises:
        SteerError: there is nothing to choose from.
    """
    from mmsteer.studies.attacks.word_swap import change_fact
    from mmsteer.studies.measures.cases import concept_of

    values: dict[str, dict[str, None]] = {}
    for feature in bank.features:
        concept = concept_of(feature) if feature.modality == "cross" else None
        if concept is not None:
            values.setdefault(concept[0], {})[concept[1]] = None
    captions = {prompt: None}
    for factor, known in values.items():
        changed = (change_fact(prompt, factor, value, other) for value in known for other in known if other != value)
        captions |= dict.fromkeys(with_articles(caption) for caption in changed if caption)
    if len(captions) <= _FEW:
        captions |= dict.fromkeys(_plain_captions(bank)[:_FROM_BANK])
    if len(captions) == 1:
        raise SteerError("the bank has no captions to choose from: give one that was built from captioned pictures")
    return list(captions)


def _plain_captions(bank: FeatureBank) -> list[str]:
    """Captions of the bank without any word that a language-only feature is named after, the shortest first."""
    silent = {word for f in bank.features if f.modality == "language" and f.named_by for word in f.name.split()}
    captions = {caption.strip(" ,") for feature in bank.features for caption in feature.top_captions}
    plain = [caption for caption in captions if len(caption.split()) > 2 and not silent & set(caption.split())]
    return sorted(plain, key=lambda caption: (len(caption), caption))
