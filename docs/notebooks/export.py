"""The worked notebook as one page that can be sent and opened anywhere: no network, no script, no server.

    python docs/notebooks/export.py --lang vi --out analysis.html

marimo's own export loads its program from a network; this one keeps what the cells show (text, tables, pictures).
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).with_name("implicit_meets_explicit.py")
STYLE = (
    "body{font:16px/1.5 'Noto Sans','DejaVu Sans',sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #c9d2da;padding:.2rem .6rem;text-align:left}"
    "svg{max-width:100%;height:auto}"
)


def load_app() -> Any:
    """The notebook's application."""
    spec = importlib.util.spec_from_file_location("notebook", NOTEBOOK)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


def page_of(outputs: list[Any], lang: str) -> str:
    """What the cells show, one after the other, as a page. Raises `ValueError` where something would be fetched."""
    shown = "\n".join(output.text for output in outputs if hasattr(output, "text"))
    if found := re.search(r"<script|(?:src|href)=[\"']?(?:https?:)?//|<marimo-", shown):
        raise ValueError(f"the page would need more than itself: {found[0]}")
    title = "Phiếu khảo sát và tín hiệu gián tiếp" if lang == "vi" else "Implicit meets explicit"
    head = f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title>'
    return f"{head}<style>{STYLE}</style></head><body>{shown}</body></html>"


def main() -> int:
    """Run the notebook and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", choices=("vi", "en"), default="vi")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    outputs, names = load_app().run(defs={"lang": args.lang})
    args.out.write_text(page_of(list(outputs), args.lang), encoding="utf-8")
    names["folder"].cleanup()
    print(args.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
