"""The page that switches faults: plain HTML, its own style, no script."""

from __future__ import annotations

import collections.abc as cabc
import html

from .exchange import Wire
from .faults import BEHAVIOURS
from .faults import TRAITS
from .faults import VENDOR_WIRE
from .faults import WIRES
from .records import RecordedRequest
from .switches import Switch

_LABELS = {"OPENAI": "OpenAI", "CLAUDE": "Claude", "GEMINI": "Gemini"}
_COMMON: cabc.Mapping[str, str] = {
    "outage": "Outage: every request gets 500",
    "overloaded": "Overloaded: busy for everybody",
    "expired": "The key has expired",
    "revoked": "The key was revoked",
    "restricted": "The key may not generate",
    "nocredit": "The account has no credit left",
    "ratelimited": "Rate limited, try again in 20 seconds",
    "ratelimited_bare": "Rate limited, without saying how long",
    "slow": "Slow: answers after some seconds",
    "hang": "Hangs: never answers",
    "cut": "Breaks off in the middle of the answer",
    "error_after_content": "An error in the middle of a stream",
    "html": "A firewall answers with a page of HTML",
    "redirect": "Sends you to another host",
    "model_not_found": "The model does not exist",
}
_SHOWN = 20


def render_page(
    switches: cabc.Sequence[Switch],
    requests: cabc.Sequence[RecordedRequest],
    urls: cabc.Mapping[str, str],
    trouble: str = "",
) -> str:
    """Write the page.

    :param urls: the base URL of each provider.
    :param trouble: a sentence about a form that could not be obeyed.
    """
    notice = f'<p class="trouble" role="alert">{_safe(trouble)}</p>' if trouble else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Provider simulator</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<main>
<h1>Provider simulator</h1>
<p class="lead">Three AI providers on this machine. Break one and watch what your app
does; no request leaves this machine.</p>
{notice}
<section class="cards" aria-label="Providers">{_cards(switches, urls)}</section>
<section class="panel" aria-labelledby="break">
<h2 id="break">Break a provider</h2>
{_form(tuple(urls))}
</section>
{_switches(switches)}
<section class="panel" aria-labelledby="record">
<h2 id="record">Latest requests</h2>
{_requests(requests)}
</section>
<p class="foot">As JSON: <a href="/faults">/faults</a>,
<a href="/requests">/requests</a>
(with whole keys). A key that contains <code>revoked</code>, <code>expired</code>,
<code>nocredit</code>, <code>ratelimited</code>, <code>outage</code>, <code>slow</code>,
<code>hang</code> or <code>cut</code> fails by itself.</p>
</main>
</body>
</html>
"""


def _cards(switches: cabc.Sequence[Switch], urls: cabc.Mapping[str, str]) -> str:
    cards = []

    for provider, url in urls.items():
        broken = [switch for switch in switches if switch.provider == provider]
        word = "Broken" if broken else "Working"
        kind = "bad" if broken else "good"
        cards.append(
            f'<article class="card {kind}" data-provider="{provider}">'
            f'<h2>{_label(provider)} <span class="badge">{word}</span></h2>'
            f"<code>{_safe(url)}</code></article>"
        )

    return "".join(cards)


def _label(provider: str) -> str:
    return _safe(_LABELS.get(provider, provider))


def _form(known: cabc.Sequence[str]) -> str:
    providers = "".join(
        f'<option value="{_safe(one)}">{_label(one)}</option>' for one in known
    )
    everybody = "All three" if len(known) == len(_LABELS) else "All"
    return f"""<form method="post" action="/">
<div class="row">
<p><label for="provider">Provider</label>
<select id="provider" name="provider"><option value="*">{everybody}</option>{providers}
</select></p>
<p class="wide"><label for="fault">What happens</label>
<select id="fault" name="fault">{_options(known)}</select></p>
</div>
<fieldset>
<legend>To whom</legend>
<label><input type="radio" name="reach" value="all" checked> All keys, the app’s own
too</label>
<span><label><input type="radio" name="reach" value="some"> Only keys that
contain</label>
<input name="keys" aria-label="Part of the keys" autocomplete="off" spellcheck="false">
</span>
</fieldset>
<p class="buttons"><button name="action" value="on">Break it</button>
<button name="action" value="clear" class="quiet">Repair everything</button></p>
</form>"""


def _options(known: cabc.Sequence[str]) -> str:
    parts = [_group("Most used", _COMMON)]
    others = {name: title for name, (_, title) in BEHAVIOURS.items()}
    parts.append(_group("Any provider", {**others, **TRAITS}))

    for provider, label in _LABELS.items():
        parts.append(_group(f"Only {label}", _rows(WIRES[provider])))

    if len(known) > len(_LABELS):
        parts.append(_group("Only other vendors", _rows(VENDOR_WIRE)))

    return "".join(parts)


def _rows(wire: Wire) -> dict[str, str]:
    return {
        name: f"{row.status} {name.replace('_', ' ')}"
        for name, row in wire.rows.items()
    }


def _group(title: str, options: cabc.Mapping[str, str]) -> str:
    inner = "".join(
        f'<option value="{_safe(name)}">{_safe(text)}</option>'
        for name, text in options.items()
    )
    return f'<optgroup label="{_safe(title)}">{inner}</optgroup>'


def _switches(switches: cabc.Sequence[Switch]) -> str:
    if not switches:
        return ""

    rows = "".join(
        f"<tr><td>{_label(switch.provider)}</td>"
        f"<td>{_safe(_COMMON.get(switch.fault, switch.fault))}</td>"
        f"<td>{_reach(switch)}</td><td>{_off_button(switch)}</td></tr>"
        for switch in switches
    )
    return (
        '<section class="panel" aria-labelledby="on"><h2 id="on">Switched on</h2>'
        "<table><thead><tr><th>Provider</th><th>What happens</th><th>To whom</th>"
        f"<th></th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _reach(switch: Switch) -> str:
    reach = "all keys"

    if switch.keys is not None:
        reach = f"keys that contain <code>{_safe(switch.keys)}</code>"

    if switch.left is not None:
        reach += f", {switch.left} more times"

    return reach


def _off_button(switch: Switch) -> str:
    keys = _safe(switch.keys or "")
    return (
        '<form method="post" action="/">'
        f'<input type="hidden" name="provider" value="{switch.provider}">'
        f'<input type="hidden" name="reach" value="{"some" if keys else "all"}">'
        f'<input type="hidden" name="keys" value="{keys}">'
        f'<button name="action" value="off" class="quiet">Repair '
        f"{_label(switch.provider)}</button></form>"
    )


def _requests(requests: cabc.Sequence[RecordedRequest]) -> str:
    if not requests:
        return '<p class="none">None yet.</p>'

    rows = "".join(_request_row(request) for request in reversed(requests[-_SHOWN:]))
    return f"""<table><thead><tr><th>Provider</th><th>Request</th><th>Model</th>
<th>Key</th><th>Answer</th></tr></thead><tbody>{rows}</tbody></table>
<form method="post" action="/"><p class="buttons">
<a class="button quiet" href="/">Refresh</a>
<button name="action" value="forget" class="quiet">Forget all {len(requests)}</button>
</p></form>"""


def _request_row(request: RecordedRequest) -> str:
    path = request.path.partition("?")[0]
    last4 = request.api_key[-4:] if len(request.api_key) >= 12 else ""
    status = "none" if request.status is None else str(request.status)
    kind = "good" if request.status is not None and request.status < 300 else "bad"
    fault = f" <small>{_safe(request.fault)}</small>" if request.fault else ""
    return (
        f"<tr><td>{_safe(_LABELS.get(request.provider, request.provider))}</td>"
        f"<td>{_safe(request.method)} <code>{_safe(path)}</code></td>"
        f"<td>{_safe(request.model)}</td><td>…{_safe(last4)}</td>"
        f'<td class="{kind}">{status}{fault}</td></tr>'
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
