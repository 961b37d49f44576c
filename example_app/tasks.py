"""What the studio can do with a text: one value per page."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import typing as t

#: Characters a text may have.
LONGEST: t.Final = 8_000

_DRAFT: t.Final = (
    "We are pleased to announce that in order to facilitate a smooth start we will "
    "commence the spring workshop at 9:30. Participants who utilize the train can "
    "obtain a ticket at the desk. the room is on the second floor, it has a view of "
    "the harbor"
)
_NOTE: t.Final = (
    "Good morning! The new book is here. It tells the story of a small town and a "
    "big river. Every reader gets a free letter from the author. Thank you for your "
    "support, and see you on Friday."
)
_REPORT: t.Final = (
    "Sales of the spring list rose by 14 percent. The audio edition grew fastest, "
    "helped by two long train strikes. Returns stayed flat. The print run of the "
    "atlas was too small, and 300 orders wait for the second printing in May. The "
    "team proposes to print 2,000 more copies and to sell the maps one by one."
)


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A page of the studio.

    :param slug: stands in the address, and as the ``label`` of its AI calls in the
        usage of flask-byok.
    :param instruction: the prompt up to the visitor's text; ``{choice}`` is filled in.
    :param choices: what may be chosen; the first is preselected.
    :param streams: whether the answer appears piece by piece, where scripts run.
    :param model: a name of ``BYOK_MODELS``; ``None``: the default one.
    """

    slug: str
    title: str
    lead: str
    field: str
    button: str
    sample: str
    instruction: str
    rows: int = 9
    choice_label: str = ""
    choices: tuple[str, ...] = ()
    streams: bool = False
    model: str | None = None

    def build_prompt(self, text: str, choice: str) -> str:
        """Put the visitor's text behind the instruction."""
        return self.instruction.format(choice=choice) + text


_ALL: t.Final = (
    Task(
        slug="write",
        title="Write",
        lead="A first draft from a few words.",
        field="What is it about?",
        button="Write a draft",
        sample="a spring workshop for bookbinders in a small harbor town",
        instruction="Write a {choice} about ",
        rows=3,
        choice_label="Kind of text",
        choices=("blog post", "newsletter", "press release"),
        streams=True,
    ),
    Task(
        slug="improve",
        title="Improve",
        lead="Plain words, short sentences, the same meaning.",
        field="Your text",
        button="Improve the text",
        sample=_DRAFT,
        instruction="Improve this text and keep its meaning.\n\n",
        streams=True,
    ),
    Task(
        slug="translate",
        title="Translate",
        lead="The same text in another language.",
        field="Your text",
        button="Translate",
        sample=_NOTE,
        instruction="Translate this text into {choice}.\n\n",
        choice_label="Into",
        choices=("German", "French", "Spanish", "Italian"),
    ),
    Task(
        slug="analyse",
        title="Analyse",
        lead="Tone, length, and what to change first.",
        field="Your text",
        button="Analyse the text",
        sample=_DRAFT,
        instruction="Analyse tone, length and clarity of this text.\n\n",
    ),
    Task(
        slug="summarise",
        title="Summarise",
        lead="The point in one line, the rest in a list.",
        field="Your text",
        button="Summarise",
        sample=_REPORT,
        instruction="Summarise this text in one line and its key points.\n\n",
        model="fast",
    ),
)

#: The pages by slug, in the order of the menu.
TASKS: t.Final[cabc.Mapping[str, Task]] = {task.slug: task for task in _ALL}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What a visitor asked for.

    :param trouble: why it cannot be done, a sentence; empty when it can.
    """

    task: Task
    text: str
    choice: str
    trouble: str = ""

    @property
    def prompt(self) -> str:
        """The message to the AI."""
        return self.task.build_prompt(self.text, self.choice)


def read_order(task: Task, form: cabc.Mapping[str, str]) -> Order:
    """Read a form of one of the pages."""
    text = form.get("text", "").replace("\r\n", "\n").strip()
    choice = form.get("choice", "")

    if choice not in task.choices:
        choice = task.choices[0] if task.choices else ""

    return Order(task=task, text=text, choice=choice, trouble=_trouble(text))


def _trouble(text: str) -> str:
    if not text:
        return "Enter a text."

    if len(text) > LONGEST:
        return f"This text has {len(text):,} characters; {LONGEST:,} are possible."

    return ""
