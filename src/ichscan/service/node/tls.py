"""TLS of the node (PS3.15 annex B: secure transport connection profiles)."""

import ssl

from ichscan.errors import UsageError
from ichscan.service.node.connection import SecureConnection
from ichscan.service.settings import DicomSettings


def server_context(dicom: DicomSettings) -> ssl.SSLContext | None:
    """TLS 1.2 or later as `dicom.tls_*` say; None = none. With authorities, callers must show a certificate.

    Raises:
        UsageError: a file is named that cannot be read, or authorities without a certificate.
    """
    if not dicom.tls_certificate:
        if dicom.tls_authorities or dicom.tls_key:
            raise UsageError("dicom.tls_certificate: expected a PEM file, as another dicom.tls_ key is set; found none")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = SecureConnection
    try:
        context.load_cert_chain(dicom.tls_certificate, dicom.tls_key or None)
        if dicom.tls_authorities:
            context.load_verify_locations(dicom.tls_authorities)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError as error:
        raise UsageError(f"dicom.tls_*: a certificate or key cannot be used ({error}); check the PEM files") from error
    return context
