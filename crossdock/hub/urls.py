"""Every address of the hub. Who may enter stands at each view (`enter`); a test walks this list."""

from __future__ import annotations

from django.urls import path

from crossdock.hub.accounts import views as accounts
from crossdock.hub.moves import views as moves
from crossdock.hub.runs import views as runs
from crossdock.hub.web import static

urlpatterns = [
    path("", moves.overview, name="overview"),
    path("milestones", moves.milestones, name="milestones"),
    path("runs", runs.runs, name="runs"),
    path("runs/<str:run>", runs.run, name="run"),
    path("findings", runs.findings, name="findings"),
    path("assessment", moves.assessment, name="assessment"),
    path("reports", moves.reports, name="reports"),
    # Reports name their pictures relative to themselves.
    path("documents/screenshots/<path:path>", moves.screenshot, name="screenshot"),
    path("documents/<str:name>", moves.document, name="document"),
    path("evidence", runs.evidence, name="evidence"),
    path("account", accounts.account, name="account"),
    path("sign-in", accounts.sign_in, name="sign-in"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("static/<str:name>", static, name="static"),
]
handler400 = "crossdock.hub.web.refused"
handler403 = "crossdock.hub.web.forbidden"
handler404 = "crossdock.hub.web.missing"
handler500 = "crossdock.hub.web.broken"
