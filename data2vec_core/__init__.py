"""data2vec for speech, text and vision in PyTorch (Baevski et al., arXiv 2202.03555)."""
