"""Pictures of every place of the page with the bundled models, in four variants: `python -m tests.e2e.screenshots`.

Exits with 1 where a place complains, asks another host, needs sideways scroll or shows an error in place of an answer.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.e2e.conftest import QUIET, Visit
from tests.e2e.walk import places, settle
from tests.lab import running
from ui.settings import Settings

FOLDER = Path(__file__).resolve().parents[2] / "screenshots"

_DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
_PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "desktop": ("/", _DESKTOP),
    "phone": ("/", _PHONE),
    "dark": ("/", _DESKTOP | {"color_scheme": "dark"}),
    "chinese": ("/zh-CN", _DESKTOP),
}
"""Where each opens, and the options of its browser."""


def photograph(browser: Browser, home: str, variant: str, folder: Path) -> list[str]:
    """Write `variant-place.png` for every place; returns what is wrong, in words."""
    path, options = VARIANTS[variant]
    width = options["viewport"]["width"]
    context = browser.new_context(**options)
    context.set_default_timeout(120_000)
    visit = Visit(context.new_page(), home)
    faults: list[str] = []
    visit.page.goto(home + path)
    visit.page.get_by_role("tablist").first.wait_for()
    settle(visit.page)
    for place in places(visit.page):
        height = visit.page.evaluate("document.documentElement.scrollHeight")
        visit.page.set_viewport_size({"width": width, "height": height})  # some draw only what is in sight
        visit.page.wait_for_timeout(300)
        visit.page.screenshot(path=folder / f"{variant}-{place}.png", full_page=True)
        visit.page.set_viewport_size(options["viewport"])
        if (needed := visit.page.evaluate("document.documentElement.scrollWidth")) > width:
            faults.append(f"{variant} {place}: {needed} pixels wide")
        faults += [f"{variant} {place}: {text}" for text in visit.page.locator(".failed:visible").all_inner_texts()]
    context.close()
    return faults + [f"{variant}: {text}" for text in (*visit.complaints, *visit.other_hosts)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go (%(default)s)")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="only this one; may be given again")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with running(Settings.from_environment()) as home, sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        for variant in arguments.variant or VARIANTS:
            faults += photograph(browser, home, variant, arguments.folder)
        browser.close()
    print(f"{len(list(arguments.folder.glob('*.png')))} pictures in {arguments.folder}")
    print(*faults, sep="\n", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
