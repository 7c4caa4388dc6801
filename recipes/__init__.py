"""How every bundled model was made, and the commands that do the same with data of one's own.

* One module a fine-tuned model: `an4`, `commands`, `sst2`, `objects`, `pets3`, with `train`, `evaluate` and `bundle`.
* `backbones`: the encoders that learnt without labels.
* `health`: how much an encoder has learnt.
* `pretrain` and `embed`: learning from a folder, and tables of what a model makes of it; `own` is what they stand on.
* `readme`: writes the tables of the documents from what is kept beside the models.
"""
