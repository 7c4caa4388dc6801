"""The app: `python app.py` opens it."""

from ui.heap import staying

with staying():
    from ui.hosting import starting
    from ui.page import build, launch_options

    with starting() as settings:
        demo = build(settings)

if __name__ == "__main__":
    demo.launch(**launch_options(settings))
