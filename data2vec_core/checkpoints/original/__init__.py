"""Training checkpoints of the original implementations: fairseq's `.pt` (speech, text) and BEiT-style `.pth` (vision).

Only the explicit command `python -m data2vec_core.checkpoints.convert` reads them.
"""
