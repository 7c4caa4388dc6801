"""The app: `python app.py` opens it."""

from ui.page import build, launch_options

demo = build()

if __name__ == "__main__":
    demo.launch(**launch_options())
