"""`python -m mmsteer …`: the list of commands."""

import argparse
import os
import sys
import warnings
from importlib import import_module

from mmsteer.errors import SteerError

# command -> (module that describes and runs it, what it does)
COMMANDS = {
    "steer": ("mmsteer.cli.steer", "draw before and after of a prompt and some edits"),
    "sweep": ("mmsteer.cli.sweep", "draw one feature over its range, two as a grid, or several seeds"),
    "real": ("mmsteer.cli.real", "fetch a real Stable Diffusion, make a bank for it, and open the page"),
    "bank": ("mmsteer.cli.bank", "build, list, fit, import, export or publish a bank of features"),
    "export": ("mmsteer.cli.export", "write the static edition: pictures drawn ahead, for a browser alone"),
    "world": ("mmsteer.cli.world", "the embedded world: sprites, scenes, training of its models"),
    "study": ("mmsteer.cli.study", "measure what models and features do"),
    "doctor": ("mmsteer.cli.doctor", "what this machine has, what will run, and what is missing"),
    "bench": ("mmsteer.cli.bench", "time steering against the bare diffusers pipeline"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a SteerError becomes one line on standard error, and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="mmsteer",
        description="Steer text-to-image models with SAE features labelled vision-only, language-only or cross-modal.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    words = sys.argv[1:] if arguments is None else arguments
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if words[:1] == [name]:  # only the command that runs is imported
            import_module(module).add_arguments(command)
    args = parser.parse_args(words)
    for library in ("TRANSFORMERS", "DIFFUSERS"):  # their advice is for programmers
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")
    try:
        import_module(COMMANDS[args.command][0]).run(args)
        if "WORLD_SIZE" in os.environ:  # one of several processes that a launcher started
            import_module("mmsteer.distributed").leave()
    except SteerError as error:
        print(f"mmsteer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mmsteer: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
