"""Write the texts of the simulated models: made of the prompt, always the same."""

from __future__ import annotations

import re

from .vocabulary import LANGUAGES
from .vocabulary import PLAIN_WORDS

_TASKS = (
    ("summary", re.compile(r"\b(summar|shorten|tl;?dr|in brief|key points)", re.I)),
    ("translation", re.compile(r"\btranslat", re.I)),
    ("analysis", re.compile(r"\b(analy[sz]|review|assess|tone of)", re.I)),
    ("rewrite", re.compile(r"\b(improv|rewrit|polish|proofread|edit|rephras)", re.I)),
    ("draft", re.compile(r"\b(writ|draft|compos|creat|outline)", re.I)),
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def compose(system: str, prompt: str) -> str:
    """Answer a prompt.

    What is asked for is read from the first line of the prompt, then from the system
    text: summarise, translate (into German, French, Spanish or Italian), analyse,
    improve or rewrite, write. The text to work on is what follows the first blank
    line or colon, or the whole prompt when the system text says what to do.
    """
    if re.search(r"\breply with\b", prompt, re.I):
        return re.sub(
            r".*\breply with\b", "", prompt, count=1, flags=re.I | re.S
        ).strip(" :.\"'\n")

    subject = subject_of(prompt)
    task = _task(_instruction(prompt)) or _task(system)
    writer = {
        "summary": _summary,
        "analysis": _analysis,
        "rewrite": _rewrite,
        "draft": _draft,
    }.get(task, _echo)

    if task == "translation":
        return _translation(subject, f"{_instruction(prompt)}\n{system}")

    return writer(subject)


def subject_of(prompt: str) -> str:
    """Find the text a prompt is about."""
    head, gap, rest = prompt.strip().partition("\n\n")

    if gap and rest.strip() and _task(head):
        return rest.strip().strip('"')

    head, colon, rest = prompt.strip().partition(":")

    if colon and rest.strip() and _task(head) and "\n" not in head:
        return rest.strip().strip('"')

    return prompt.strip()


def _instruction(prompt: str) -> str:
    return prompt.strip().partition("\n")[0][:160]


def _task(text: str) -> str:
    """Name the task whose word stands first."""
    found = [
        (match.start(), name) for name, word in _TASKS if (match := word.search(text))
    ]
    return min(found)[1] if found else ""


def _sentences(text: str) -> list[str]:
    return [one.strip() for one in _SENTENCE.findall(text) if one.strip()]


def _clip(text: str, limit: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0] + "…"


def _closed(sentence: str) -> str:
    sentence = sentence[:1].upper() + sentence[1:]
    return sentence if sentence.endswith((".", "!", "?", "…")) else sentence + "."


def _summary(text: str) -> str:
    sentences = _sentences(text) or [text]
    points = "\n".join(f"- {_closed(_clip(one, 90))}" for one in sentences[:4])
    return f"In short: {_closed(_clip(sentences[0], 140))}\n\nKey points:\n{points}"


def _translation(text: str, instruction: str) -> str:
    match = re.search(r"\b(?:into|to|in)\s+([A-Z]\w+)", instruction)
    language = match.group(1) if match else "German"
    words = LANGUAGES.get(language, {})

    def turn(found: re.Match[str]) -> str:
        word = found.group()
        other = words.get(word.lower(), word)
        return other[:1].upper() + other[1:] if word[:1].isupper() else other

    return f"[{language}] " + re.sub(r"[^\W\d_]+", turn, text)


def _analysis(text: str) -> str:
    sentences = _sentences(text) or [text]
    words = text.split()
    longest = max(sentences, key=lambda one: len(one.split()))
    lively = sum(text.count(mark) for mark in "!?")
    tone = "lively and direct" if lively else "calm and factual"
    average = round(len(words) / len(sentences), 1)
    advice = (
        "Split the longest sentence." if average > 18 else "Keep the short sentences."
    )
    return (
        f"Tone: {tone}.\n"
        f"Length: {len(words)} words in {len(sentences)} sentences, "
        f"{average} words each.\n"
        f"Longest sentence: “{_clip(longest, 100)}”\n"
        f"Suggestions: {advice} Say first what the reader gains."
    )


def _rewrite(text: str) -> str:
    for heavy, plain in PLAIN_WORDS.items():
        text = re.sub(rf"\b{heavy}\b", plain, text, flags=re.I)

    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(
        " ".join(_closed(re.sub(r"\s+", " ", one)) for one in _sentences(part))
        for part in paragraphs
    )


def _draft(text: str) -> str:
    match = re.search(r"\babout\s+(.+)", text, re.I | re.S)
    topic = _clip(match.group(1) if match else text, 80).rstrip(".!?:")
    return (
        f"{topic[:1].upper()}{topic[1:]}\n\n"
        f"There is a good reason to talk about {topic} today. It touches how people "
        "work, what they expect, and what they tell each other afterwards.\n\n"
        "Start with one small step, show what came of it, and ask for an honest word. "
        f"That is how {topic} becomes something people remember.\n\n"
        "Try it this week, and tell us how it went."
    )


def _echo(text: str) -> str:
    return f"You wrote: “{_clip(text, 200)}” This is the simulator’s answer to it."
