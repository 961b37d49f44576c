"""The part "Usage": days, picture, tables, meter, range; and the history beside it."""

from __future__ import annotations

import datetime as dt
import re
import typing as t

import bs4
import sqlalchemy as sa

from flask_byok.web.chart import DayCount
from flask_byok.web.chart import draw_chart
from flask_byok.web.figures import percent
from flask_byok.web.texts import Names
from tests.web.conftest import Host
from tests.web.conftest import MakeHost
from tests.web.conftest import text_of
from tests.web.seeding import add_event
from tests.web.seeding import add_month
from tests.web.seeding import add_outage
from tests.web.seeding import add_use
from tests.web.seeding import today
from tests.web.test_states import check_sound

NAMES = Names(app="Studio", app_first="Studio")


def part(answer: t.Any, id: str = "byok-usage") -> bs4.Tag:
    """Cut one part out of a page."""
    found = bs4.BeautifulSoup(answer.text, "lxml").find(id=id)
    assert isinstance(found, bs4.Tag)
    return found


def read(node: t.Any) -> str:
    """Read the text of a part, its white space folded."""
    return re.sub(r" (?=[.,;:%])", "", " ".join(node.get_text(" ").split()))


def heights(outline: str) -> list[float]:
    """Read the height of each bar of an outline."""
    return [float(height) for height in re.findall(r"v-([\d.]+)", outline)]


def test_bars_stand_in_two_series() -> None:
    """Own below, provided above with a gap; a day without requests has no bar."""
    days = [dt.date(2026, 11, number) for number in range(1, 5)]
    counts = [
        DayCount(day=days[0], own=8, provided=2),
        DayCount(day=days[1]),
        DayCount(day=days[2], provided=5, is_out=True),
        DayCount(day=days[3], own=1),
    ]
    chart = draw_chart(counts, NAMES)
    assert chart is not None
    assert [str(number) for number in chart.scale] == ["10", "5", "0"]
    assert heights(chart.own) == [128.0, 16.0]
    # The highest day would end two units above the picture without being cut.
    assert heights(chart.provided) == [30.0, 80.0]
    assert re.findall(r"M[\d.]+ ([\d.]+)h", chart.provided) == ["30", "160"]
    assert chart.episodes.startswith("M20 ")
    assert "The highest day is 2026-11-01 with 8 requests" in chart.description
    assert "In all these days: 9 on your keys, 7 on the key" in chart.description


def test_no_request_is_no_picture() -> None:
    """Days without a request are told in words."""
    assert draw_chart([DayCount(day=dt.date(2026, 11, 1))], NAMES) is None


def test_one_request_among_thousands_can_be_seen() -> None:
    """A bar is never thinner than can be seen, and the top is a round number."""
    days = [dt.date(2026, 11, number) for number in (1, 2)]
    chart = draw_chart(
        [DayCount(day=days[0], own=1), DayCount(day=days[1], own=40_001)], NAMES
    )
    assert chart is not None
    assert heights(chart.own)[0] == 2
    assert [str(number) for number in chart.scale] == ["50,000", "25,000", "0"]


def test_shares_never_lie_at_their_ends() -> None:
    """Little is not nothing, and nearly all is not all."""
    shares = [percent(*pair) for pair in ((1, 9999), (9998, 9999), (1, 3), (0, 4))]
    assert [str(share) for share in shares] == ["0.1%", "99.9%", "33%", "0%"]
    assert percent(0, 0) is None


def test_the_part_tells_payers_apart(make_host: MakeHost) -> None:
    """Tiles, picture, days, providers, models, features: own and provided apart."""
    host = make_host(BYOK_SYSTEM_BUDGET={"requests": 500})
    add_use(host, 0, "company", 1200, failed=3, input_tokens=1000, output_tokens=50)
    add_use(host, 0, "system", 300, label=None, unknown=2, unpriced=300)
    add_use(host, 2, "company", 7, provider="CLAUDE", model="claude-x", label="a<b")
    answer = host.client().get()
    check_sound(answer)
    usage = part(answer)
    own, provided, allowance = [read(tile) for tile in usage.select(".byok-tile")]
    assert own.startswith("Your keys 1,207 requests Failed 0.2% Tokens 1,050")
    assert provided.startswith(
        "Key provided by Studio 300 requests Share of all requests 20%"
    )
    assert provided.endswith("Estimated cost not priced")
    assert allowance.startswith("Allowance this month 0 of 500 requests used")
    picture = t.cast("bs4.Tag", usage.select_one("svg[role=img]"))
    assert read(picture.title) == (
        "Requests per day: your keys, and the key provided by Studio"
    )
    assert "1,207 on your keys, 300 on the key provided by Studio" in read(picture.desc)
    rows = {
        read(row.th): [read(cell) for cell in row.find_all("td")]
        for row in usage.select(".byok-days tr")
        if row.td
    }
    assert rows[str(today(host))][0::4] == ["1,200", "300"]
    assert rows["All days"][0::4] == ["1,207", "300"]
    assert rows["Of these, outcome unknown"][0::2] == ["0", "2"]
    tables = {
        read(body.th): [
            [read(cell) for cell in row.find_all(["th", "td"])][:3]
            for row in body.select("tr")[1:]
        ]
        for body in usage.select(".byok-splits tbody")
    }
    assert tables == {
        "Provider": [
            ["OpenAI", "Your key", "1,200"],
            ["OpenAI", "Key provided by Studio", "300"],
            ["Claude", "Your key", "7"],
        ],
        "Model": [
            ["gpt-6-sol", "Your key", "1,200"],
            ["gpt-6-sol", "Key provided by Studio", "300"],
            ["claude-x", "Your key", "7"],
        ],
        "Feature": [
            ["write", "Your key", "1,200"],
            ["Without a name", "Key provided by Studio", "300"],
            ["a<b", "Your key", "7"],
        ],
    }


def test_the_meter_changes_its_tone(make_host: MakeHost) -> None:
    """From 80 percent on the meter warns by icon and picture, not by colour alone."""
    host = make_host(BYOK_SYSTEM_BUDGET={"requests": 5})

    for _ in range(4):
        host.chat()

    meter = part(host.client().get()).select(".byok-tile")[2]
    assert "4 of 5 requests used" in read(meter)
    assert "M0 0h80v8H0z" in str(meter)
    assert meter.select_one(".byok-meter-warn") is not None
    assert meter.select_one(".byok-icon") is not None


def test_the_range_stands_in_the_address(host: Host) -> None:
    """Seven days, thirty, or any up to 366; what cannot be shown is said."""
    add_use(host, 20, "company", 11)
    ada = host.client()
    last = today(host)
    first = last - dt.timedelta(days=29)
    usage = part(ada.get())
    assert "No AI requests in these days." in read(usage)
    links = {read(link): str(link["href"]) for link in usage.select(".byok-ranges a")}
    assert links["30 days"] == (f"/settings/ai/?since={first}&until={last}#byok-usage")
    month = part(ada.get(f"/?since={first}&until={last}"))
    assert read(month.select_one("[aria-current]")) == "30 days"
    assert f"{first} to {last}, days in UTC" in read(month)
    assert "11 requests" in read(month)

    for name, value in (("since", first), ("until", last)):
        field = t.cast("bs4.Tag", month.find(id=f"byok-{name}"))
        assert (field["type"], field["value"]) == ("date", str(value))

    for wrong in ("since=2020-01-01", f"since={last}&until={first}", "since=&until="):
        answer = ada.get(f"/?{wrong}")
        check_sound(answer)
        assert "at most 366 of them" in read(part(answer).find(id="byok-range-error"))
        assert 'aria-describedby="byok-range-error"' in answer.text


def test_an_outage_is_marked_and_told(host: Host) -> None:
    """Its days are marked in the picture and in the table, its times in words."""
    host.save()
    add_use(host, 2, "company", 3)
    add_use(host, 3, "system", 3)
    add_outage(host, 4, 3)
    answer = host.client().get()
    usage = part(answer)
    told = read(usage.select_one(".byok-out"))
    assert re.fullmatch(
        r"Your OpenAI key was out from \S+ \S+ UTC to \S+ \S+ UTC\. Reason: OpenAI "
        r"says it has expired\.",
        told,
    )
    outs = t.cast("bs4.Tag", usage.select_one(".byok-chart-picture .byok-chart-out"))
    assert str(outs["d"]).count("M") == 2
    marked = [read(row.th) for row in usage.select("tbody tr") if "Key out" in str(row)]
    assert marked == [f"{today(host) - dt.timedelta(days=3)} Key out"]
    lines = [read(line) for line in part(answer, "byok-history").select("li")]
    assert re.search(
        r"It was out from \S+ \S+ UTC to \S+ \S+ UTC\. Automatic", lines[1]
    )


def test_an_outage_ends_with_its_key(host: Host) -> None:
    """A key that is replaced or removed is not out for ever."""
    add_event(host, dt.timedelta(days=3), "fallback_started", details={})
    assert "on and still is" in text_of(host.client().get())
    add_event(host, dt.timedelta(days=2), "key_replaced", actor="Ada")
    text = text_of(host.client().get())
    assert "on and still is" not in text
    assert "OpenAI key replaced. It was out from" in text


def test_the_history_says_what_and_who(host: Host) -> None:
    """Every line of the history has a sentence, and somebody it comes from."""
    events: list[tuple[str, dict[str, t.Any], str]] = [
        ("key_saved", {}, "OpenAI key saved."),
        ("key_replaced", {}, "OpenAI key replaced."),
        ("key_rejected", {}, "not saved: OpenAI did not accept it."),
        ("key_removed", {}, "OpenAI key removed."),
        ("key_tested", {"verdict": "working"}, "OpenAI key tested. It works."),
        ("key_tested", {"reason": "quota"}, "Reason: the account at OpenAI is out of"),
        (
            "details_changed",
            {"model": "gpt-6-luna", "expires_on": "2099-01-31"},
            "key changed. Model: gpt-6-luna. Expires on 2099-01-31.",
        ),
        (
            "active_changed",
            {"from": "CLAUDE", "to": "OPENAI"},
            "set to use the OpenAI key. Before that: the Claude key.",
        ),
        (
            "policy_changed",
            {"what": "fallback", "from": "auto", "to": "never"},
            "If your key fails: do not use it. Before: use the key provided by Studio.",
        ),
        ("policy_changed", {"what": "use_other_keys", "to": True}, "saved keys: on."),
        (
            "fallback_started",
            {"reason": "auth", "to": "OPENAI"},
            "Started using the key provided by Studio: the OpenAI key did not work. "
            "Reason: OpenAI rejected it",
        ),
        (
            "fallback_started",
            {"reason": "auth", "to": "CLAUDE", "source": "company"},
            "Started using your saved Claude key: the OpenAI key did not work. "
            "Reason: OpenAI rejected it",
        ),
        (
            "fallback_started",
            {"to": "OPENAI", "source": "system"},
            "Started using the key provided by Studio: the OpenAI key did not work.",
        ),
        ("fallback_ended", {"reason": "auth"}, "works again and is used again."),
        ("budget_threshold", {"percent": 80}, "80% of the allowance on the key"),
        ("budget_threshold", {"percent": 100}, "was used up."),
        ("key_expiring", {"days": 7}, "expires soon. Days left: 7."),
        ("key_unreadable", {"reason": "unreadable"}, "could not read the saved OpenAI"),
    ]
    people = {"key_saved": "Ada", "key_removed": "cli"}

    for place, (action, details, _) in enumerate(events):
        ago = dt.timedelta(hours=len(events) - place)
        add_event(host, ago, action, details=details, actor=people.get(action))

    answer = host.client().get()
    check_sound(answer)
    lines = [read(line) for line in part(answer, "byok-history").select("li")]
    assert len(lines) == len(events)
    assert not any("works again" in line and "Reason" in line for line in lines)

    for line, (action, _, sentence) in zip(reversed(lines), events, strict=True):
        assert sentence in line, action
        assert "_" not in line

    ends = [line.rsplit(". ", 1)[1] for line in reversed(lines)]
    assert ends[:4] == [
        "Ada",
        "Someone in your company",
        "Someone in your company",
        "The people who run Studio",
    ]
    assert ends[10:] == ["Automatic"] * 8


def test_the_page_stays_small(make_host: MakeHost) -> None:
    """With a part for usage it takes four queries and has no indentation."""
    host = make_host(BYOK_SYSTEM_BUDGET={"requests": 500})
    add_month(host)
    host.save(actor="Ada")
    host.save("CLAUDE", activate=False)
    ada = host.client()
    ada.post("/test", provider="OPENAI")
    ada.post("/test", provider="CLAUDE")
    queries: list[str] = []

    with host.app.app_context():
        engine = host.byok.state.database.engine

    def note(*event: t.Any) -> None:
        queries.append(event[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    page = ada.get().data
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len([query for query in queries if "byok_" in query]) <= 4
    assert b"\n " not in page[page.index(b"<h1") : page.rindex(b"</table>")]
