# SPDX-License-Identifier: Apache-2.0
"""The dashboard, an HTML page at the emulator's address."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from partner_center_emulator.offer import Offer

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.45; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin: 0; }
article { border: 1px solid #8886; border-radius: .5rem; margin: 1rem 0; padding: .8rem 1rem; }
header { align-items: center; display: flex; gap: .8rem; justify-content: space-between; }
.word { border-radius: 1rem; background: #4472c433; padding: .1rem .7rem; }
.succeeded, .published { background: #2e9e4f44; } .failed { background: #c4314b44; } .canceled { background: #88888844; }
ol { display: grid; gap: .5rem; grid-template-columns: repeat(6, 1fr); list-style: none; margin: .8rem 0 0; padding: 0; }
li { font-size: .8rem; } progress { display: block; width: 100%; }
.blocked, .rejected { color: #c4314b; font-weight: 600; } .message { color: #c4314b; font-size: .85rem; margin: .5rem 0 0; }
td { padding: 0 1.2rem 0 0; } button { cursor: pointer; padding: .3rem .8rem; }
@media (max-width: 40rem) { ol { grid-template-columns: repeat(2, 1fr); } }
"""


def render(offers: list[tuple[Offer, dict[str, Any]]], counts: Counter[str]) -> str:
    """Return the page: each offer with its steps, and the number of requests by route."""
    articles = "".join(_offer(offer, status) for offer, status in offers) or "<p>There are no offers yet.</p>"
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{count}</td></tr>" for name, count in sorted(counts.items()))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Partner Center emulator</title>'
        '<meta http-equiv="refresh" content="2"><meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body><h1>Partner Center emulator</h1>{articles}"
        f"<h2>Requests served</h2><table>{rows or '<tr><td>none yet</td></tr>'}</table></body></html>"
    )


def _offer(offer: Offer, status: dict[str, Any]) -> str:
    word = str(status["status"])
    steps = "".join(_step(step) for step in status["steps"])
    errors = [
        message["messageHtml"]
        for holder in (*status["steps"], status)
        for message in holder["messages"]
        if message["level"] == "error"
    ]
    messages = "".join(f'<p class="message">{escape(text)}</p>' for text in errors)
    awaiting_sign_off = any(
        step["id"] == "publisher-signoff" and "aiting" in step["status"] for step in status["steps"]
    )
    button = _button(offer.offer_id, "sign-off", "Go live") if awaiting_sign_off else ""
    return (
        f"<article><header><h2>{escape(offer.publisher_id)}/{escape(offer.offer_id)}</h2>"
        f'<span class="word {escape(word.lower())}">{escape(word)}</span>{button}</header><ol>{steps}</ol>{messages}</article>'
    )


def _step(step: dict[str, Any]) -> str:
    word = str(step["status"])
    return (
        f'<li class="{escape(word.lower())}">{escape(step["stepName"])}'
        f'<progress max="100" value="{int(step["progressPercentage"])}"></progress>{escape(word)}</li>'
    )


def _button(offer_id: str, action: str, text: str) -> str:
    action = f"/emulator/offers/{escape(offer_id, quote=True)}/{action}"
    return f'<form method="post" action="{action}"><button>{escape(text)}</button></form>'
