"""The kinds of task that can be learnt from one's own labelled data, by name."""

from __future__ import annotations

from recipes.own.tasks.pictures import OwnPictureClasses, OwnSegmentation
from recipes.own.tasks.sounds import OwnSoundClasses, OwnSpeakerActivity, OwnSpeakers, OwnTranscription
from recipes.own.tasks.task import OwnTask
from recipes.own.tasks.texts import (
    OwnAnswers,
    OwnCausalLanguage,
    OwnChoices,
    OwnMaskedLanguage,
    OwnTags,
    OwnTextClasses,
)

OWN_TASKS: dict[str, type[OwnTask]] = {
    task.name: task
    for task in (
        OwnTranscription,
        OwnSoundClasses,
        OwnSpeakers,
        OwnSpeakerActivity,
        OwnTextClasses,
        OwnTags,
        OwnMaskedLanguage,
        OwnCausalLanguage,
        OwnAnswers,
        OwnChoices,
        OwnPictureClasses,
        OwnSegmentation,
    )
}
"""In the order of the help."""
