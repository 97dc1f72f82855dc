"""What the hub, the network and the disk can refuse, each as one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from mmsteer.errors import SteerError, first_line

_FULL = "No space left"  # in the words of libraries that do not raise an OSError


@contextmanager
def hub_errors(repo: str, offline: str) -> Iterator[None]:
    """Turn exceptions of hub, network and disk into a SteerError.

    Args:
        repo: the repository's name.
        offline: what to do where the hub cannot be reached.
    """
    from huggingface_hub import errors
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # its own client

    try:
        yield
    except errors.HFValidationError as error:
        raise SteerError(f"{repo!r} is no name of a repository: write USER/NAME ({first_line(error)})") from error
    except errors.RevisionResolutionError as error:
        raise SteerError(f"cannot reach {repo} on the hub ({_kind_of(error)}): {offline}") from error
    except (errors.HfHubHTTPError, errors.LocalTokenNotFoundError) as error:
        raise SteerError(
            f"the hub refuses {repo} ({_kind_of(error)}): check name and revision on its page; a private or gated one, and writing, "
            "need `hf auth login` with a token that allows it"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.HTTPError) as error:
        raise SteerError(f"cannot reach {repo} on the hub ({_kind_of(error)}): {offline}") from error
    except (OSError, RuntimeError) as error:
        raise _broken_off(repo, error) from error


def _broken_off(repo: str, error: OSError | RuntimeError) -> SteerError:
    """The disk is full or not writable, or a file came shorter than the hub said."""
    from huggingface_hub.constants import HF_HUB_CACHE

    kept = "the files that are complete stay; run the same command again, and it goes on with the others"
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or _FULL in str(error):
        return SteerError(
            f"the disk is full: {repo} does not fit into {HF_HUB_CACHE}. Free some space, or set HF_HOME to a folder on a larger "
            f"disk; {kept}"
        )
    return SteerError(f"cannot fetch {repo} into {HF_HUB_CACHE} ({first_line(error)}): {kept}")


def _kind_of(error: Exception) -> str:
    """The class of an error, and the hub's status if it has one."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return " ".join(filter(None, (type(error).__name__, status and str(status))))
