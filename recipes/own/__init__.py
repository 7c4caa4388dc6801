"""What `recipes.pretrain` and `recipes.embed` stand on: a folder of one's own sounds, texts or pictures.

Which of its files can be used, how they are read without holding them all, what a run on them is made of, and how an
encoder represents them.
"""
