"""Certificates: those in a server's files, and those that visitors are shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID, NameOID

from crossdock.core.evidence import Finding, Level
from crossdock.core.inventory import Item
from crossdock.core.observed import Probed, ShownCertificate
from crossdock.move.inventory.words import plain

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SOON_DAYS = 30


def certificate_of(encoded: bytes, problem: str = "") -> ShownCertificate:
    """From PEM or DER. Errors: ValueError."""
    is_pem = encoded.lstrip().startswith(b"-----")
    read = x509.load_pem_x509_certificate(encoded) if is_pem else x509.load_der_x509_certificate(encoded)
    issuer = read.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) or read.issuer.get_attributes_for_oid(
        NameOID.COMMON_NAME
    )
    return ShownCertificate(
        names=_names(read),
        issuer=plain(str(issuer[0].value)) if issuer else "itself",
        ends=read.not_valid_after_utc,
        fingerprint=read.fingerprint(hashes.SHA256()).hex(),
        problem=problem,
    )


def _names(read: x509.Certificate) -> tuple[str, ...]:
    try:
        found = read.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        assert isinstance(found, x509.SubjectAlternativeName)  # noqa: S101  that is what the OID means
        return tuple(plain(name) for name in found.get_values_for_type(x509.DNSName))
    except (x509.ExtensionNotFound, ValueError):
        common = read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return (plain(str(common[0].value)),) if common else ()


def days_left(one: ShownCertificate, now: datetime | None = None) -> int | None:
    return (one.ends - (now or datetime.now(UTC))).days if one.ends else None


@dataclass(frozen=True)
class CertificateFile:
    """A certificate in a file of a server, or as a host shows it (`place` then is host:port)."""

    place: str
    shown: ShownCertificate
    is_served: bool = False

    def item(self, server: str) -> Item:
        left = days_left(self.shown)
        names = ", ".join(self.shown.names[:6]) + (
            f" and {len(self.shown.names) - 6} more" if len(self.shown.names) > 6 else ""
        )
        told = f"{names or 'no names'}, by {self.shown.issuer or 'nobody known'}" if self.shown.ends else "not known"
        text = told + (f", {left} days left" if left is not None else "")
        data = {
            "names": list(self.shown.names), "issuer": self.shown.issuer, "is_served": self.is_served,
            "ends": self.shown.ends.date().isoformat() if self.shown.ends else "", "sha256": self.shown.fingerprint,
        }  # fmt: skip
        kind = "certificate"
        return Item(kind, server, self.place, f"{text}{f'; {self.shown.problem}' if self.shown.problem else ''}", data)

    def findings(self, server: str) -> Iterator[Finding]:
        left, place = days_left(self.shown), f"{server}: {self.place}"
        if self.is_served and self.shown.problem:
            way_out = "the target needs a certificate of its own for this name before DNS changes"
            yield Finding("certificate.untrusted", Level.WARN, place, self.shown.problem, way_out)
        elif not self.is_served and self.shown.problem:
            yield Finding("land.unreadable", Level.WARN, place, f"not known: {self.shown.problem}", "look by hand")
        elif left is not None and left < _SOON_DAYS:
            text = f"ended {-left} days ago" if left < 0 else f"ends in {left} days"
            way_out = "renew it, or have the target's ready before: a renewal at the source fails once DNS has changed"
            yield Finding("certificate.ends", Level.WARN, place, text, way_out, {"days_left": left})


def read_certificates(told: Probed) -> list[CertificateFile]:
    """The first certificate of each file: those behind it are its issuers'."""
    found = []
    for path, content in told.files:
        first = _PEM.search(content)
        try:
            shown = certificate_of(first[0]) if first else ShownCertificate(problem="no certificate in this file")
        except ValueError as error:
            shown = ShownCertificate(problem=f"the certificate can't be read: {plain(str(error))[:100]}")
        found.append(CertificateFile(plain(path), shown))
    return found
