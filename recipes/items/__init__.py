"""How the items for the inside views are made: `python -m recipes.items`.

Their manifests are read by `analysis.items`, which says what a set holds.
"""
