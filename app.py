"""Entry of the page: arguments, then load, build and launch."""

import argparse
import os
from pathlib import Path

from mmsteer.cli.arguments import add_backbone
from mmsteer.errors import SteerError
from mmsteer.steering import zero_gpu


def main(arguments: list[str] | None = None) -> None:
    """Start the page; the model loads in the background while it is already served (on ZeroGPU, before)."""
    parser = argparse.ArgumentParser(
        description="Steer pictures with SAE features labelled vision-only, language-only or cross-modal."
    )
    add_backbone(parser)
    parser.add_argument("--bank", type=Path, default=Path(__file__).parent / "assets" / "banks" / "mini")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--mcp", action="store_true", help="offer the page's endpoints as MCP tools, too")
    parser.add_argument("--name", action="append", default=[], help="a host name by which the page may be called, too")
    args = parser.parse_args(arguments)

    from mmsteer.ahead.drawn import read_drawn
    from mmsteer.bank import FeatureBank
    from mmsteer.ui.server.early import early_page

    try:
        bank = FeatureBank.load(args.bank)
    except SteerError as error:
        parser.error(str(error))
    ahead = None if args.adapter else read_drawn(bank, args.backbone)
    with early_page(ahead, args.host, args.port):
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        from mmsteer.ui.page import build_demo
        from mmsteer.ui.server.launch import launch, mcp_problem

        if args.mcp and (problem := mcp_problem()):
            parser.error(problem)

        def load():  # type: ignore[no-untyped-def]
            from mmsteer.steering.steerer import Steerer

            return Steerer.load(
                args.backbone, args.bank, args.device, args.dtype, args.offload, args.adapter, args.compiled
            )

        ready = zero_gpu.load_for_zero_gpu(load) if zero_gpu.on_zero_gpu() else load
        demo = build_demo(bank, ready, ahead)
    launch(demo, args.host, args.port, args.name, args.mcp)


if __name__ == "__main__":
    main()
