"""How much an encoder has learnt, by the numbers, and what RESULTS.md shows of it.

Questions are put to its layers by neighbours and linear probes; what was measured is kept beside the card of a bundled
encoder, and tables and figures are made from there alone.
"""
