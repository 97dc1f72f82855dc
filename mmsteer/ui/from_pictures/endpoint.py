"""The endpoint that makes a slider from pictures for other programs."""

from typing import TYPE_CHECKING, Any

import gradio as gr

from mmsteer.errors import SteerError
from mmsteer.pictures.picture_features import check_groups, contrast_of
from mmsteer.recipes.direction import Direction
from mmsteer.ui.calls import answer, decoded
from mmsteer.ui.shared.page_state import PageState

if TYPE_CHECKING:
    import torch


class SliderApi:
    """Nothing of any caller is stored."""

    def __init__(self, page: PageState) -> None:
        self.known, self.loading = page.known, page.loading

    def slider_from_pictures(self, name: str, shown: list[gr.FileData], not_shown: list[gr.FileData]) -> dict[str, Any]:
        """Make a slider of what some pictures show and others do not, for `edits` of `steer` and for `sweep`.

        Args:
            name: what it is called, for example "dusk"; at most 60 characters, none of them : @ [ ] ~
            shown: 2 to 10 PNG, JPEG or WebP files of pictures with something
            not_shown: 2 to 10 of pictures without it, otherwise as like as can be

        Returns:
            the edit, "dusk~NUMBERS", to which ":STRENGTH" may be added; its modality with the share of each, its usable strengths, and the features nearest to it with their cosines
        """  # noqa: E501  a description is one line

        def made() -> dict[str, Any]:
            for group in (shown, not_shown):
                if not isinstance(group, list):
                    raise SteerError(f"the pictures are a {type(group).__name__}: give two lists of uploaded files")
            check_groups(len(shown), len(not_shown))
            contrast = contrast_of(name, self._embedded(shown), self._embedded(not_shown))
            direction = self.known.get(str(contrast))
            assert isinstance(direction, Direction)
            return {
                "edit": direction.id, "modality": direction.modality,
                "shares": {modality: round(share, 3) for modality, share in direction.shares.items()},
                "usable": list(direction.usable), "near": {feature.name: round(cosine, 3) for feature, cosine in direction.near},
            }  # fmt: skip

        return answer(made)

    def _embedded(self, files: list[gr.FileData]) -> "torch.Tensor":
        """The embeddings of uploaded pictures, `[n, d_joint]`; each is decoded, read and let go before the next."""
        import torch

        reader = self.loading.reader()

        def embedded(file: gr.FileData) -> torch.Tensor:
            picture = decoded(file)
            return self.loading.run(lambda _: reader.embed([picture]))

        return torch.cat([embedded(file) for file in files])
