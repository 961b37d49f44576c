"""Carries a company from where a job is made to where it runs.

A queue carries texts. The typed text of an id (``i:42``, ``s:acme``, ``u:0d9e5a31-…``)
keeps the type: a UUID that JSON made a plain text would name another company.
"""

from __future__ import annotations

from .errors import NoCompany
from .proxies import find_byok
from .vault.company import company_text
from .vault.company import company_value
from .vault.company import CompanyId


def pack_company(company_id: CompanyId | None = None) -> str:
    """Write a company's id as a text for the message of a job.

    :param company_id: ``None`` for the company that is calling.
    :raises NoCompany: when nobody is calling: a job without a company is not made.
    :raises SetupError: outside an app context, without ``company_id``.
    """
    if company_id is None:
        company_id = find_byok().load_company()

    return company_text(company_id)


def unpack_company(text: object) -> CompanyId:
    """Read what :func:`pack_company` wrote, for ``byok.as_company()``.

    :raises NoCompany: for ``None`` and for anything else it did not write.
    """
    company_id = _read(text)

    if company_id is None:
        raise NoCompany(
            "This job carries no company, or none that can be read. Put the text of "
            "'pack_company()' into its message; the system key is never used for a "
            "company that is not known."
        )

    return company_id


def _read(text: object) -> CompanyId | None:
    if not isinstance(text, str):
        return None

    try:
        return company_value(text)
    except ValueError:
        return None
