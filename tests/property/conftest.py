"""How hypothesis runs here: the same examples every time, and no clock, for the machine may be busy."""

from hypothesis import settings

settings.register_profile("lab", deadline=None, derandomize=True)
settings.load_profile("lab")
