"""Why a sound cannot be used."""

from __future__ import annotations


class AudioError(ValueError):
    """A sound cannot be used; the message says why in a sentence for the person who brought it."""


class NotAudioError(AudioError):
    """There is no file, or it is not a sound that can be decoded."""


class EmptyAudioError(AudioError):
    """The sound has no samples."""


class AudioTooLongError(AudioError):
    """The sound is longer than allowed."""


class AudioTooShortError(AudioError):
    """The sound is shorter than the first frame of a model."""


class SilentAudioError(AudioError):
    """The sound holds nothing that could be heard."""


class BrokenSamplesError(AudioError):
    """Samples are NaN or infinite, or of a type that is not sound."""
