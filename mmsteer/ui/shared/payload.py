"""Checks of what a browser sends. The pydantic models stand beside the handlers that use them.

A model is strict: no key may be added, no text stands for a number, no number is NaN or infinite.
"""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mmsteer.errors import SteerError, first_complaint
from mmsteer.recipes.recipe import LARGEST_SEED

T = TypeVar("T")


class Payload(BaseModel):
    """Base of the objects that the page's scripts send."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


def read(adapter: TypeAdapter[T], value: Any, name: str) -> T:
    """Check a value from a browser.

    Args:
        adapter: the type that the page's scripts send.
        value: what has arrived.
        name: what it is, for the error: "the rack".

    Raises:
        SteerError: a sentence that says what is wrong where, what is allowed, and what to do.
    """
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = first_complaint(error)
    raise SteerError(f"{name} cannot be read: load the page again ({reason})")


def whole_seed(seed: float | None) -> int:
    """The number of a seed field; SteerError if it is empty or no whole number."""
    if seed is None or not float(seed).is_integer():
        state = "empty" if seed is None else f"{seed}, not a whole number"
        raise SteerError(f"the seed is {state}: type a whole number from 0 to {LARGEST_SEED}")
    return int(seed)
