"""The console in the web application: its screens, its language, its door."""

from types import ModuleType
from typing import Final

from flask import Flask

from clearing.api.limits import Window
from clearing.console import (
    account,
    account_proposals,
    accounts,
    admissions,
    agreements,
    audit,
    bank,
    batch,
    batches,
    case,
    cases,
    claim,
    claims,
    clearing,
    clearing_order,
    clients,
    clock,
    connectors,
    cycle,
    debts,
    deliveries,
    demo_bank,
    districts,
    elsewhere,
    held,
    home,
    instruction,
    invitation,
    jobs,
    keys,
    linkages,
    matching,
    months,
    outlets,
    pairs,
    payee,
    policies,
    policy,
    policy_draft,
    qualifications,
    queue,
    receipts,
    registers,
    rehearsal,
    reservations,
    settings,
    settings_import,
    sign_in,
    single_sign_on,
    statement,
    static_files,
    suspense,
    trust_list,
)
from clearing.console.enterprise_types import named
from clearing.console.filters import furnish
from clearing.console.home_figures import Figures
from clearing.console.language import speak
from tenants.kernel.clock import Clock

SCREENS: Final[tuple[ModuleType, ...]] = (
    static_files, sign_in, single_sign_on, invitation, instruction,
    home, claims, claim, queue, cases, case, pairs, reservations, batches, batch,
    bank, statement, payee, clearing, cycle, clearing_order, debts, agreements, connectors, jobs, clients, deliveries,
    receipts, keys,
    settings, settings_import, linkages, districts, policies, policy, policy_draft, rehearsal, registers,
    qualifications, admissions, trust_list, audit, account, accounts, account_proposals, outlets, suspense,
    months, elsewhere, held, matching,
)  # fmt: skip
"""One module a screen; each has a ``blueprint``."""


def open_console(app: Flask, machine: Clock, *, demonstrates: bool) -> None:
    """Add the console to the application."""
    speak(app)
    furnish(app)
    app.extensions["console-door"] = Window(sign_in.TRIES_PER_WINDOW)
    single_sign_on.know_providers(app)
    app.extensions["console-figures"] = Figures(machine)
    app.jinja_env.globals.update(demonstrates=demonstrates, named=named)
    for module in SCREENS + ((clock, demo_bank) if demonstrates else ()):
        app.register_blueprint(module.blueprint)
