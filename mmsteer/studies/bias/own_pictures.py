"""Anyone's own pictures of people: a folder with metadata.csv, which says who is of which group and, maybe, at which occupation."""

import csv
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

from mmsteer.data.sample import inside, read_picture
from mmsteer.data.sources.columns import PICTURES
from mmsteer.errors import SteerError
from mmsteer.models.clip import Clip

TABLE = "metadata.csv"
LEAST, MOST_GROUPS = 4, 20
"""The fewest people of a group, and the most groups."""
_BATCH = 64


class Person(NamedTuple):
    """A row of the table."""

    picture: Path
    group: str
    occupation: str
    """Empty where no column has it"""


def read_people(folder: Path, attribute: str, occupation: str | None) -> list[Person]:
    """The people of a folder; rows without a group, or without an occupation where they are asked for, are left out.

    Args:
        folder: has metadata.csv and the pictures that it names.
        attribute: the column with the group, in words, since prompts contain them.
        occupation: the column with the occupation, if there is one.

    Raises:
        SteerError: the table or a column is missing, or the column does not tell groups apart.
    """
    table = folder / TABLE
    if not table.is_file():
        raise SteerError(
            f"{folder} has no {TABLE}: write one with the columns file_name and {attribute}, a row for each picture"
        )
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = list(reader.fieldnames or ())
        picture = next((c for c in columns if c.lower() in PICTURES), "file_name")
        for column in (picture, attribute, *([occupation] if occupation else [])):
            if column not in columns:
                raise SteerError(
                    f"{TABLE} in {folder} has no column {column!r}; its columns are {', '.join(columns[:20]) or 'none'}"
                )
        people = []
        for number, row in enumerate(reader, 1):
            group = (row[attribute] or "").strip().lower()
            work = (row[occupation] or "").strip().lower() if occupation else ""
            if group and (work or not occupation):
                path = inside(folder, (row[picture] or "").strip(), f"row {number} of {TABLE}")
                people.append(Person(path, group, work))
    _check(people, attribute, folder)
    return people


def _check(people: list[Person], attribute: str, folder: Path) -> None:
    counts = Counter(person.group for person in people)
    if not 2 <= len(counts) <= MOST_GROUPS:
        raise SteerError(
            f"the column {attribute!r} of {TABLE} in {folder} has {len(counts)} different values: give a column with 2 to "
            f"{MOST_GROUPS} groups of people"
        )
    numbers = [group for group in counts if not any(letter.isalpha() for letter in group)]
    if numbers:
        raise SteerError(
            f"the column {attribute!r} of {TABLE} has values such as {numbers[0]!r}: write words (man, woman), since CLIP is asked "
            'for "a man", "a woman"'
        )
    for kind, number in (("group", counts), ("occupation", Counter(person.occupation for person in people))):
        few = [name for name, count in number.items() if count < LEAST]
        if few:
            raise SteerError(
                f"there are only {number[few[0]]} people of {kind} {few[0]!r}: give {LEAST} or more of each {kind}, or leave "
                "such rows out"
            )


def embed_people(clip: Clip, people: list[Person]) -> tuple[torch.Tensor, list[Person]]:
    """Unit embeddings `[N, d_joint]` of the pictures that can be read, and whose they are.

    Raises:
        SteerError: half of the pictures or more cannot be read.
    """
    read: list[Person] = []
    vectors = []
    why = ""
    for first in range(0, len(people), _BATCH):
        pictures = []
        for person in people[first : first + _BATCH]:
            try:
                pictures.append(read_picture(person.picture))
                read.append(person)
            except (OSError, ValueError) as error:
                name = person.picture.name
                why = f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name}: {error}"
        if pictures:
            vectors.append(clip.embed_pictures(clip.prepare(pictures)).cpu())
    if 2 * len(read) <= len(people):
        raise SteerError(
            f"{len(people) - len(read)} of {len(people)} pictures cannot be read ({why}): check the names in {TABLE}"
        )
    return torch.cat(vectors), read
