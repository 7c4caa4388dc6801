"""Things to look at from inside: pictures, words and sounds that come with the project, and vectors of labelled items.

`python -m recipes.items` makes the files; here they are read, each only when it is asked for.
"""
