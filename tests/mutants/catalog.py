"""All mutants, in the order of the rooms."""

from __future__ import annotations

import typing as t

from tests.mutants import calls
from tests.mutants import companies
from tests.mutants import features
from tests.mutants import ring
from tests.mutants import rotation
from tests.mutants import rows
from tests.mutants import sealing
from tests.mutants import sender
from tests.mutants import services
from tests.mutants import web
from tests.mutants.mutant import Mutant

MUTANTS: t.Final[tuple[Mutant, ...]] = (
    *sealing.MUTANTS,
    *ring.MUTANTS,
    *rows.MUTANTS,
    *rotation.MUTANTS,
    *services.MUTANTS,
    *sender.MUTANTS,
    *web.MUTANTS,
    *companies.MUTANTS,
    *calls.MUTANTS,
    *features.MUTANTS,
)
