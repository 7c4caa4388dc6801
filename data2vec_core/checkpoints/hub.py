"""Downloading a checkpoint from the hub: only the files that are needed, each into the hub's own local cache.

Needs no more of a server than its file addresses (`/owner/name/resolve/revision/file`), so any mirror named by
`HF_ENDPOINT` will do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from data2vec_core.checkpoints.backbone import is_inside, named_backbone
from data2vec_core.checkpoints.card import Card
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.facts import Facts, folder_facts, needed_names, weight_bytes
from data2vec_core.checkpoints.files import (
    CARD_FILE,
    COMPANION_FILES,
    CONFIG_FILE,
    TEACHER_FILE,
    WEIGHT_FILES,
    Role,
    first_line,
    is_index,
    read_json,
)
from data2vec_core.checkpoints.reading import rest_of, shard_names

Progress = Callable[[int], None]
"""Called with the number of bytes that have come since it was called last. What it raises ends the download."""

#: Most bytes of a JSON file that is read to say what a checkpoint is.
_MAX_JSON = 1_000_000


def download(
    hub_id: str,
    *,
    role: Role | None = "student",
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Bring a hub checkpoint into the local cache.

    Files already there are not asked for again; without a network the cached copy is used.

    Args:
        hub_id: `owner/name`.
        role: whose weights to fetch; None fetches the JSON files only.
        progress: is told of the bytes as they come.

    Returns:
        The folder of the snapshot.

    Raises:
        CheckpointError: it does not exist, is not public, holds no usable weights, or cannot be reached.
    """
    source = f"{hub_id}@{revision}" if revision else hub_id
    remote = _Remote(hub_id, revision, source, cache_dir, token, local_files_only or _is_offline(), progress=progress)
    folder = remote.pin()
    for name in COMPANION_FILES:
        remote.fetch(name)
    if role is not None:
        remote.fetch_tensors(role)
    return folder


def hub_size(hub_id: str, *, revision: str | None = None, token: str | bool | None = None) -> int:
    """Bytes of the weights that loading a hub checkpoint would download.

    Raises:
        CheckpointError: as `download` does.
    """
    source = f"{hub_id}@{revision}" if revision else hub_id
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in _info(hub_id, revision, token, source).siblings or []}
    if not (size := weight_bytes(sizes)):
        raise _no_weights(source)
    return size


def hub_facts(hub_id: str, *, revision: str | None = None, token: str | bool | None = None) -> Facts:
    """Look at a hub checkpoint: the list of its files, its configuration and its card are all that is fetched.

    One that is in the local cache is looked at there when the hub does not answer.

    Raises:
        CheckpointError: as `download` does, or its configuration or card cannot be understood.
    """
    source = f"{hub_id}@{revision}" if revision else hub_id
    try:
        info = _info(hub_id, revision, token, source)
    except CheckpointError as error:
        try:
            folder = download(hub_id, role="student", revision=revision, token=token, local_files_only=True)
        except CheckpointError:
            raise error from None
        return folder_facts(folder, source)
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
    if not (weights := weight_bytes(sizes)):
        raise _no_weights(source)
    if sizes.get(CONFIG_FILE, 0) > _MAX_JSON or sizes.get(CARD_FILE, 0) > _MAX_JSON:
        raise CheckpointError(f"{source} has a {CONFIG_FILE} or {CARD_FILE} too large to be one")
    remote = _Remote(hub_id, info.sha or revision, source, None, token, False)
    folder = remote.pin()
    card = remote.fetch(CARD_FILE) if CARD_FILE in sizes else None
    stated = info.card_data
    return Facts(
        source=source,
        config=read_json(folder / CONFIG_FILE),
        files={name: sizes[name] for name in needed_names(sizes)},
        weights=weights,
        card=Card.load(card.parent) if card else None,
        licence=str((stated.get("license") if stated else None) or ""),
        commit=folder.name,
        has_teacher=TEACHER_FILE in sizes,
    )


def _info(hub_id: str, revision: str | None, token: str | bool | None, source: str) -> Any:
    """What the hub says about a checkpoint, its files with their sizes included."""
    from huggingface_hub import HfApi

    try:
        return HfApi(endpoint=_endpoint()).model_info(hub_id, revision=revision, files_metadata=True, token=token)
    except _hub_errors() as error:
        raise _explained(error, source) from error


@dataclass
class _Remote:
    """One revision of one hub checkpoint."""

    hub_id: str
    revision: str | None
    source: str
    cache_dir: str | Path | None
    token: str | bool | None
    is_offline: bool
    fault: Exception | None = None
    """Why the hub could not be asked."""
    progress: Progress | None = None

    def pin(self) -> Path:
        """Fetch the configuration, and read every other file from the same commit. Returns the folder of that commit.

        Asks once by itself whether the hub answers, because the library would try again for half a minute at every
        file that is not in the cache.
        """
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

        if not self.is_offline:
            try:
                url = hf_hub_url(self.hub_id, CONFIG_FILE, revision=self.revision, endpoint=_endpoint())
                get_hf_file_metadata(url, token=self.token, endpoint=_endpoint())
            except (errors.RevisionNotFoundError, errors.EntryNotFoundError, errors.HFValidationError) as error:
                raise _explained(error, self.source) from error
            except _hub_errors() as error:
                self.is_offline, self.fault = True, error
        try:
            path = hf_hub_download(
                self.hub_id,
                CONFIG_FILE,
                revision=self.revision,
                cache_dir=self.cache_dir,
                token=self.token,
                endpoint=_endpoint(),
                local_files_only=self.is_offline,
            )
        except _hub_errors() as error:
            cause = self.fault or error
            raise _explained(cause, self.source) from cause
        folder = Path(path).parent
        self.revision = folder.name  # the cache keeps each commit in a folder of its name
        return folder

    def fetch(self, name: str) -> Path | None:
        """Bring one file into the cache; None when the checkpoint does not have it (offline: when the cache does
        not)."""
        from huggingface_hub import _CACHED_NO_EXIST, errors, hf_hub_download, try_to_load_from_cache

        cached = try_to_load_from_cache(self.hub_id, name, cache_dir=self.cache_dir, revision=self.revision)
        if cached is _CACHED_NO_EXIST:
            return None
        try:
            path = hf_hub_download(
                self.hub_id,
                name,
                revision=self.revision,
                cache_dir=self.cache_dir,
                token=self.token,
                endpoint=_endpoint(),
                local_files_only=self.is_offline,
                tqdm_class=self._meter(),
            )
        except errors.LocalEntryNotFoundError as error:
            if self.is_offline:
                return None
            raise _explained(error, self.source) from error
        except errors.EntryNotFoundError:
            return None
        except _hub_errors() as error:
            raise _explained(error, f"{self.source}/{name}") from error
        return Path(path)

    def _meter(self) -> Any:
        """What the library takes for the class of its progress bars; None for its own."""
        if self.progress is None:
            return None
        return type("Meter", (_Meter,), {"progress": staticmethod(self.progress)})

    def fetch_tensors(self, role: Role) -> None:
        """Bring the tensors of one role into the cache, and those of a backbone in a folder inside."""
        has_tensors = role == "teacher" and self._fetch_teacher("")
        has_tensors = has_tensors or self._fetch_weights("")
        card = self.fetch(CARD_FILE)
        backbone = named_backbone(card.parent) if card else None
        if backbone is not None and is_inside(backbone):
            self.fetch(f"{backbone}/{CONFIG_FILE}")
            if role == "teacher":
                self._fetch_teacher(f"{backbone}/")
            self._fetch_weights(f"{backbone}/")
        if not has_tensors and self.is_offline:
            raise _explained(self.fault, self.source) from self.fault
        if not has_tensors:
            raise _no_weights(self.source)

    def _fetch_teacher(self, prefix: str) -> bool:
        """Bring the teacher in one folder, and the file that it leaves tensors to."""
        path = self.fetch(prefix + TEACHER_FILE)
        if path is None:
            return False
        rest = rest_of(path)
        return rest is None or self.fetch(prefix + rest) is not None

    def _fetch_weights(self, prefix: str) -> bool:
        """Bring the best of the weight files in one folder, and the shards that it lists."""
        for name in WEIGHT_FILES:
            path = self.fetch(prefix + name)
            if path is None:
                continue
            for shard in shard_names(path) if is_index(name) else ():
                if self.fetch(prefix + shard) is None:
                    where = "in the local cache" if self.is_offline else "on the hub"
                    raise CheckpointError(f"{self.source} is incomplete: its file {prefix + shard} is not {where}")
            return True
        return False


class _Meter:
    """Stands in for a progress bar of the library: hands the bytes on."""

    progress: Progress

    def __init__(self, *, total: float | None = None, initial: int = 0, **_: Any) -> None:
        self.total = total
        self.n = 0
        self.update(initial)  # of an earlier download that was cut off

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to close."""

    def update(self, count: float | None = 1) -> None:
        """More bytes of the file are there."""
        self.n += int(count or 0)
        self.progress(int(count or 0))

    def update_transfer(self, _: float | None = 1) -> None:
        """More bytes came over the network, which need not be those of the file. Without this method the library would
        make a second bar for them."""
        self.progress(0)

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Whatever else a bar can do."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **__: None


def _endpoint() -> str | None:
    """The hub's address; read at each call, because the library reads it only once."""
    return os.environ.get("HF_ENDPOINT") or None


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def _hub_errors() -> tuple[type[Exception], ...]:
    """Whatever the hub library raises when it cannot hand over a file."""
    from huggingface_hub import errors

    return (errors.HTTPError, errors.HFValidationError, errors.EntryNotFoundError, OSError)


def _no_weights(source: str) -> CheckpointError:
    return CheckpointError(
        f"{source} holds no weights that can be read here: expected one of {', '.join(WEIGHT_FILES)}"
    )


def _explained(error: Exception | None, source: str) -> CheckpointError:
    """What went wrong, and what to do about it, in one sentence."""
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        reason = "this is neither a local folder nor a hub id, which looks like owner/name"
    elif isinstance(error, errors.GatedRepoError):
        reason = "access is restricted: accept its conditions on its page, then log in or pass token="
    elif isinstance(error, errors.RepositoryNotFoundError):
        reason = "the hub has no such model; check the spelling, or pass token= if it is private"
    elif isinstance(error, errors.RevisionNotFoundError):
        reason = "the model has no such revision; name a branch, a tag or a commit that exists"
    elif isinstance(error, errors.LocalEntryNotFoundError) or error is None:
        reason = (
            "it is not in the local cache and the hub was not asked or did not answer; connect to the network once "
            "(and unset HF_HUB_OFFLINE or local_files_only), or use a bundled model"
        )
    elif isinstance(error, errors.EntryNotFoundError):
        reason = f"it has no {CONFIG_FILE}, so it is not a checkpoint in the transformers layout"
    elif isinstance(error, errors.HfHubHTTPError):
        reason = f"the hub answered with an error; try again later ({first_line(error)})"
    elif isinstance(error, errors.HTTPError | ConnectionError):
        reason = (
            "it is not in the local cache and the hub cannot be reached; check the network (and HF_ENDPOINT, if set), "
            f"or use a bundled model ({first_line(error)})"
        )
    else:
        reason = f"it could not be fetched: {first_line(error)}"
    return CheckpointError(f"{source} cannot be loaded: {reason}")
