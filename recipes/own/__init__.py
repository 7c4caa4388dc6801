"""What `recipes.pretrain`, `recipes.embed` and `recipes.finetune` stand on: one's own sounds, texts or pictures.

Which files of a folder can be used, how they are read without holding them all, what a run on them is made of, and how
an encoder represents them; tables, labels, and the kinds of task that are learnt from them (`tasks`).
"""
