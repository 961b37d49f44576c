"""Words for the text maker: a few plain ones, and a few in other languages."""

from __future__ import annotations

import collections.abc as cabc

#: Heavy phrases and what a rewrite puts in their place.
PLAIN_WORDS: cabc.Mapping[str, str] = {
    "very good": "excellent",
    "very big": "huge",
    "very important": "essential",
    "a lot of": "many",
    "in order to": "to",
    "due to the fact that": "because",
    "utili[sz]e": "use",
    "really ": "",
    "basically ": "",
    "at this point in time": "now",
    "get in touch with": "contact",
    "thing": "point",
}

_ENGLISH = """
the a and or is are was we you our your it this that for with in of to not new team day
today work time people good text company customer help more can have will
"""

_GERMAN = """
die ein und oder ist sind war wir Sie unser Ihr es dies das für mit in von zu nicht neu
Team Tag heute Arbeit Zeit Menschen gut Text Firma Kunde Hilfe mehr kann haben wird
"""

_FRENCH = """
le un et ou est sont était nous vous notre votre il ce cela pour avec dans de à pas
nouveau équipe jour aujourd’hui travail temps gens bon texte entreprise client aide plus
peut avoir va
"""

_SPANISH = """
el un y o es son era nosotros usted nuestro su ello este eso para con en de a no nuevo
equipo día hoy trabajo tiempo personas bueno texto empresa cliente ayuda más puede tener
va
"""

_ITALIAN = """
il un e o è sono era noi voi nostro vostro esso questo quello per con in di a non nuovo
squadra giorno oggi lavoro tempo persone buono testo azienda cliente aiuto più può avere
sarà
"""

#: A language by its English name: its word for an English one.
LANGUAGES: cabc.Mapping[str, cabc.Mapping[str, str]] = {
    name: dict(zip(_ENGLISH.split(), words.split(), strict=True))
    for name, words in {
        "German": _GERMAN,
        "French": _FRENCH,
        "Spanish": _SPANISH,
        "Italian": _ITALIAN,
    }.items()
}
