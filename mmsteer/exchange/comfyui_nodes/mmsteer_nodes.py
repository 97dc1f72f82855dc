"""What ComfyUI loads, by its path: give it this folder as `custom_nodes` in extra_model_paths.yaml."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))  # ComfyUI's Python does not know where mmsteer lies

from mmsteer.exchange.comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
