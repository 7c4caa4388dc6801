"""Self-supervised learning as data2vec does it (arXiv 2202.03555): a student that sees part of the input predicts what
its own running average, the teacher, makes of all of it.

`masking` hides, `teacher` averages, `targets` says what is to be predicted, `objective` how well it was; `model` joins
them, `modalities` fills in where speech, text and vision differ; `loop` trains, in one process or in several
(`distributed`). `method` and `plan` hold the settings, `presets` the published ones. `start` goes on from a checkpoint,
`saved` keeps what predicts. Several masks for one pass of the teacher, and a `decoder` behind a student that encodes
visible patches alone, are the economy of data2vec 2.0 (arXiv 2212.07525).
"""
