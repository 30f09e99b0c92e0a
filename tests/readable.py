"""What can be read and touched on a page: barriers by axe, and sizes measured from what the browser lays out."""

from __future__ import annotations

from typing import Any, cast

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    # every rule runs; elements that keep it are not described one by one, which took longer than the rules themselves
    "resultTypes": ["violations"],
}
LEAST_TEXT_PX, LEAST_TARGET_PX = 16, 48
_MEASURE = """([text, target]) => {
  const found = [];
  const hidden = (element) => !element.checkVisibility() || element.closest("script, style, noscript, .skip, .sr");
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.textContent.trim() || hidden(node.parentElement)) continue;
    const size = parseFloat(getComputedStyle(node.parentElement).fontSize);
    if (size < text) found.push([node.textContent.trim().slice(0, 40), size]);
  }
  const touched = "button, a[href], input:not([type=hidden]), select, textarea, summary, audio";
  for (const element of document.querySelectorAll(touched)) {
    if (hidden(element)) continue;
    const box = (element.closest("label") ?? element).getBoundingClientRect();
    const name = element.textContent.trim() || element.name || element.tagName;
    if (box.height + .5 < target) found.push([name, box.height]);
  }
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) found.push(["wider than the window", wide]);
  return found;
}"""


def assert_no_barrier(page: Page, name: str = "") -> None:
    """No violation of WCAG 2.2 AA that axe finds. `name`: of the page, for whoever reads the failure."""
    found = Axe().run(page, options=WCAG)
    assert found.violations_count == 0, f"{name or page.url}: {found.generate_report()}"


def too_small(page: Page) -> list[Any]:
    """Texts below 16 px, things to touch that are lower than 48 px, and how much the page is wider than the window."""
    return cast(list[Any], page.evaluate(_MEASURE, [LEAST_TEXT_PX, LEAST_TARGET_PX]))


_OUT = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, box = node.parentElement.closest("td, th, .figures > div, .card, main");
    const around = node.parentElement;
    if (!node.textContent.trim() || !around.checkVisibility() || around.closest("thead, .sr, svg, select")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const edge = Math.min(box.getBoundingClientRect().right, window.innerWidth) + 1;
    if ([...range.getClientRects()].some((one) => one.right > edge)) found.push(node.textContent.trim().slice(0, 40));
  }
  return found;
}"""


def out_of_its_box(page: Page) -> list[str]:
    """Texts that reach over the right edge of their cell, card or window: cut off, or over what stands beside."""
    return cast(list[str], page.evaluate(_OUT))
