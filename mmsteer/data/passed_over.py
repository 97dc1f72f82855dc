"""What a source contains and does not read: nothing is passed over in silence."""

from collections.abc import Iterator


class PassedOver:
    """Things that are not read: how many for each reason, and the first name."""

    def __init__(self) -> None:
        self._reasons: dict[str, tuple[int, str]] = {}
        self._closed = False

    def add(self, name: str, reason: str, count: int = 1) -> None:
        """Count something; nothing once the list is closed, as a source is read several times."""
        if not self._closed:
            number, first = self._reasons.get(reason, (0, name))
            self._reasons[reason] = number + count, first

    def close(self) -> None:
        """Count no more."""
        self._closed = True

    def __iter__(self) -> Iterator[str]:
        """A sentence for each reason, the most frequent first."""
        for reason, (count, first) in sorted(self._reasons.items(), key=lambda entry: -entry[1][0]):
            yield f"{first}: {reason}" if count == 1 else f"{count:,} such as {first}: {reason}"
