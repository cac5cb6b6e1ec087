"""What the node takes: SOP classes (PS3.4 annex B.5) and transfer syntaxes (PS3.5 section 10)."""

from typing import Final

VERIFICATION: Final = "1.2.840.10008.1.1"
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."

CT: Final = tuple(_STORAGE + end for end in ("2", "2.1", "2.2"))
"""CT, Enhanced CT, Legacy Converted Enhanced CT Image Storage."""

BESIDE: Final = tuple(
    _STORAGE + end
    for end in (
        *("7", "7.1", "7.2", "7.3", "7.4"),  # secondary captures: screens, dose pages, reformats of some scanners
        *("11.1", "11.2", "11.3", "11.4", "11.6", "11.7", "11.8", "11.9", "11.10", "11.11", "11.12"),  # presentation
        *("30", "66", "66.1", "66.2", "66.3", "66.4", "66.5", "66.7", "67"),  # maps, raw data, registrations, segments
        *("88.11", "88.22", "88.33", "88.34", "88.35", "88.40", "88.59"),  # structured reports, key objects
        *("88.67", "88.68", "88.71", "88.73", "88.74", "88.75"),  # dose, acquisition, contrast agent
        *("104.1", "104.2"),  # encapsulated PDF and CDA
    )
)
"""What else is in a CT study. It is kept and not analysed: a sender whose study is taken in part reports failure."""

TRANSFER_SYNTAXES: Final = tuple(
    f"1.2.840.10008.1.2{end}"
    for end in (
        *(".1", "", ".1.99", ".2"),  # explicit, implicit, deflated little endian; big endian
        *(".4.70", ".4.57", ".4.80", ".4.90", ".4.201", ".4.202", ".5", ".4.110", ".8.1"),  # lossless
        *(".4.203", ".4.91", ".4.81", ".4.50", ".4.51", ".4.92", ".4.93", ".4.111", ".4.112"),  # that may be lossy
        *(".4.100", ".4.101", ".4.102", ".4.103", ".4.104", ".4.105", ".4.106", ".4.107", ".4.108"),  # video
        *(".4.100.1", ".4.101.1", ".4.102.1", ".4.103.1", ".4.104.1", ".4.105.1", ".4.106.1"),
    )
)
"""All but those whose pixels are elsewhere (JPIP, SMPTE 2110). Of several in one presentation context the first of
these is chosen: as the modality has it where that is uncompressed, else lossless before lossy."""
