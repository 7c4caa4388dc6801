"""Teaching an encoder a task with labels: the loop, and one module a kind of task.

Where the examples come from is not known here: `recipes.bundled` has those of the data packs, `recipes.own` those of a
folder or table.
"""
