"""The pages of the lab. Telemetry of the libraries underneath is off before any of them is imported."""

import os

from ui.stubs import write_no_stubs

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
write_no_stubs()
