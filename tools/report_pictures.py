"""Take the screenshots of docs/report.md: python tools/report_pictures.py report.html|index.html [docs/pictures].

Needs Playwright and a Chromium. Only the top of the page is taken, because Kaggle's rows, further down, must not be
published.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

SCREENSHOTS = {  # how the name ends: (colour scheme, width, height)
    "light": ("light", 1280, 1100),
    "dark": ("dark", 1280, 1100),
    "phone": ("dark", 390, 844),
}


def main(report: Path, folder: Path) -> None:
    """Take every screenshot and write it as a PNG of 128 colours."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (scheme, width, height) in SCREENSHOTS.items():
            viewport = {"width": width, "height": height}
            page = browser.new_page(color_scheme=scheme, viewport=viewport)
            page.goto(report.resolve().as_uri())
            screenshot = Image.open(io.BytesIO(page.screenshot()))
            screenshot.convert("RGB").quantize(128).save(folder / f"{report.stem}-{name}.png", optimize=True)
            print(name, (folder / f"{report.stem}-{name}.png").stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs/pictures"))
