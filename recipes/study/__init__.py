"""What self-supervision buys: five tasks learnt from the pre-trained encoder and from scratch, with few labels and all.

Both starts get the same search: as many learning rates and schedules, chosen on valid, at each number of labels.
"""
