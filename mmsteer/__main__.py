"""`python -m mmsteer …`: every command, as one readable list."""

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
    "bank": ("mmsteer.cli.bank", "build a bank of features, or list one"),
    "world": ("mmsteer.cli.world", "the embedded world: sprites, scenes, training of its models"),
    "study": ("mmsteer.cli.study", "measure what models and features do"),
    "doctor": ("mmsteer.cli.doctor", "what this machine has, what will run, and what is missing"),
    "bench": ("mmsteer.cli.bench", "time steering against the bare diffusers pipeline"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a SteerError becomes one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(
        prog="mmsteer", description="Steer text-to-image models by features of known modality."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    given = sys.argv[1:] if arguments is None else arguments
    for name, (module, told) in COMMANDS.items():
        one = commands.add_parser(name, help=told, description=told)
        if given[:1] == [name]:  # only the command that runs is imported
            import_module(module).add_arguments(one)
    args = parser.parse_args(given)
    for library in ("TRANSFORMERS", "DIFFUSERS"):  # their advice is for those who call them
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    warnings.filterwarnings("ignore", category=FutureWarning, module="diffusers")
    try:
        import_module(COMMANDS[args.command][0]).run(args)
    except SteerError as error:
        print(f"mmsteer: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mmsteer: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
