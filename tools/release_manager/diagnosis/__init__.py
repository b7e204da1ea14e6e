"""Why a tenant's pods are not ready: the first cause, in one sentence, and what to do.

Pure functions over pods, events and log lines. What containers wrote and answered comes
redacted (``redaction.py``). The sentences are listed in ``docs/failures.md``, the wording
that they are read from was taken down from real nodes.
"""

from .causes import Cause, Diagnosis
from .evidence import Evidence
from .first_cause import diagnose, find_unsettled
from .redaction import Redactor, build_redactor

__all__ = [
    "Cause",
    "Diagnosis",
    "Evidence",
    "Redactor",
    "build_redactor",
    "diagnose",
    "find_unsettled",
]
