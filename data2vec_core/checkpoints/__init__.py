"""Checkpoints: found by name, read in every public layout, fitted to a model strictly, and written.

`source` finds (with `hub` and `bundled`), `reading` reads tensors, `loading` fits them by the names of `hub_keys`,
`writing` writes; `card` says what a checkpoint is, `backbone` and `sharing` let tasks have one encoder in common;
`convert` and `original` read the training files of the original implementations.
"""
