"""The simulated vendor on OPENAI's wire: the same answers, other habits and errors."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import re
import typing as t

from .exchange import Call
from .exchange import ErrorRow
from .openai_wire import OpenAIWire
from .rows_vendor import ROWS

#: Where such vendors look for the key, in this order.
_HEADERS = ("authorization", "api-key", "x-api-key")
#: A deployment's own address, as Azure has it.
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)(/.+)")


class VendorWire(OpenAIWire):
    """Chat Completions of any vendor: each model answers, unless it is ``no-such…``."""

    rows: cabc.Mapping[str, ErrorRow] = ROWS

    def read(self, call: Call) -> Call:
        """Find the key in whichever header it stands, and the model."""
        found = [call.headers[name] for name in _HEADERS if name in call.headers]
        keys = tuple(value.split()[-1] for value in found if value.split())
        deployment = _DEPLOYMENT.fullmatch(call.path)

        if deployment is not None:
            body = {**(call.body or {}), "model": deployment.group(1)}
            path = deployment.group(2)
            call = dataclasses.replace(call, path=path, body=body)

        return dataclasses.replace(super().read(call), credentials=keys)

    def knows(self, model: str) -> bool:
        """Tell whether there is such a model."""
        return not model.startswith("no-such")

    def list_models(self, call: Call) -> list[dict[str, t.Any]]:
        """Give a large model, a small one and one for vectors, named by the vendor."""
        name = call.provider.lower()
        chats = {
            "context_length": 131_072,
            "supported_parameters": ["tools", "structured_outputs"],
        }
        return [
            {**_entry(f"{name}-large"), **chats, "capabilities": {"vision": True}},
            {**_entry(f"{name}-small"), **chats},
            _entry(f"{name}-embed"),
        ]


def _entry(name: str) -> dict[str, t.Any]:
    return {"id": name, "object": "model", "created": 1778037177, "owned_by": "vendor"}
