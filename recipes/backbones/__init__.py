"""The three encoders that all bundled models come from, and how they were taught without labels.

One module a modality: what its student is, how it learns, and what its batches are made of. The batches read items
through a sequence, so that the packs in memory and a folder of files too large for it are trained on alike.
"""
