"""How pixels are encoded and meant to be shown: bits, sign, rescaling, modality, photometric, windows."""

from ichscan.datasets.profile.facts import Facts, counts, numbers
from ichscan.datasets.profile.frequency import frequency, most_frequent, present
from ichscan.datasets.profile.summary import SUMMARY_COLUMNS, summarise
from ichscan.pages.section import Cell, Grid, Section

SIGNED = {0: "0 (unsigned)", 1: "1 (signed)"}


def bit_depth(facts: Facts) -> Section:
    """Bits allocated and stored, high bit, sign, and the range they can hold (section 4.3.4, Table 13)."""
    rows: list[tuple[Cell, ...]] = []
    for name, column in (
        ("BitsAllocated (0028,0100)", "bits_allocated"),
        ("BitsStored (0028,0101)", "bits_stored"),
        ("HighBit (0028,0102)", "high_bit"),
        ("PixelRepresentation (0028,0103)", "pixel_representation"),
    ):
        grid = frequency(facts, column, name, (column,), (name,))
        signs = SIGNED if column == "pixel_representation" else {}
        rows += [
            (name, signs.get(value, value) if isinstance(value, int) else value, *rest) for value, *rest in grid.rows
        ]
    source = "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 d and 4.3.4, Table 13"
    grids = (
        Grid("bits", "Bit storage and allocation", ("field", "value", "slices", "share"), tuple(rows)),
        Grid(
            "range", "Range of stored values", ("bits stored", "values", "lowest", "highest", "slices"), _ranges(facts)
        ),
        frequency(
            facts,
            "rescale",
            "Rescale to HU",
            ("rescale_slope", "rescale_intercept"),
            ("RescaleSlope (0028,1053)", "RescaleIntercept (0028,1052)"),
        ),
    )
    figures = most_frequent(facts, "bits_stored", "Bits stored", "bits_stored")
    figures += most_frequent(facts, "pixel_representation", "Pixel representation (1 = signed)", "pixel_representation")
    return Section("bit_depth", "Bit depth and range of values", source, _high_bit(facts), grids, figures)


def modality(facts: Facts) -> Section:
    """Modality (section 4.3.5)."""
    grid = frequency(facts, "modality", "Modality", ("modality",), ("Modality (0008,0060)",))
    source = "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 e and 4.3.5"
    note = "All slices are CT." if _all(grid, "CT") else "Not every slice is recorded as CT."
    figures = most_frequent(facts, "modality", "Modality", "modality")
    return Section("modality", "Modality", source, (note,), (grid,), figures)


def photometric(facts: Facts) -> Section:
    """Photometric interpretation and samples per pixel (section 4.5.3, Table 17)."""
    columns: tuple[str, ...] = ("photometric",)
    names: tuple[str, ...] = ("PhotometricInterpretation (0028,0004)",)
    if "samples_per_pixel" in facts.table.column_names:
        columns, names = (*columns, "samples_per_pixel"), (*names, "SamplesPerPixel (0028,0002)")
    grid = frequency(facts, "photometric", "Photometric interpretation and samples per pixel", columns, names)
    inverted = sum(n for (value,), n in counts(facts.table, "photometric") if value == "MONOCHROME1")
    notes = [
        f"Slices shown inverted (MONOCHROME1), which leaves HU as they are: {inverted:,}."
        if inverted
        else "No slice is shown inverted (MONOCHROME1)."
    ]
    if len(columns) == 1:
        notes.append("Every imported slice has one sample per pixel: colour images are refused at the import.")
    source = "Alqaisi & Almashagbeh 2025, sections 3.2.4.3 and 4.5.3, Tables 5 and 17"
    figures = most_frequent(facts, "photometric", "Photometric interpretation", "photometric")
    return Section("photometric", "Photometric interpretation", source, tuple(notes), (grid,), figures)


def windowing(facts: Facts) -> Section:
    """Window centre and width as recorded, first value (section 4.5.4, Figure 19). Not used to make model input."""
    pair = frequency(
        facts,
        "windows",
        "Most frequent windows",
        ("window_center", "window_width"),
        ("WindowCenter (0028,1050)", "WindowWidth (0028,1051)"),
    )
    summaries = tuple(
        summarise(numbers(facts.table, column)).row(name)
        for column, name in (("window_center", "WindowCenter, HU"), ("window_width", "WindowWidth, HU"))
    )
    figures = most_frequent(facts, "window_width", "Most frequent window widths", "window_width")
    figures += most_frequent(facts, "window_center", "Most frequent window centres", "window_center")
    return Section(
        "windowing",
        "Window metadata",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.3 and 4.5.4, Figure 19",
        (
            f"Slices that record a window: {present(facts, 'window_center'):,} of {facts.slices:,}.",
            "Where a header lists several windows, the first counts.",
        ),
        (Grid("window_summary", "Windows", SUMMARY_COLUMNS, summaries), pair),
        figures,
    )


def scanner(facts: Facts) -> Section:
    """Manufacturer and reconstruction kernel: contextual fields (section 3.2.4)."""
    return Section(
        "scanner",
        "Scanner and reconstruction",
        "Alqaisi & Almashagbeh 2025, section 3.2.4 (acquisition parameters)",
        (),
        (
            frequency(facts, "manufacturer", "Manufacturer", ("manufacturer",), ("Manufacturer (0008,0070)",)),
            frequency(facts, "kernel", "Convolution kernel", ("kernel",), ("ConvolutionKernel (0018,1210)",)),
        ),
        most_frequent(facts, "manufacturer", "Manufacturer", "manufacturer"),
    )


def _ranges(facts: Facts) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[Cell, ...]] = []
    for (bits, sign), n in counts(facts.table, "bits_stored", "pixel_representation"):
        if isinstance(bits, int) and isinstance(sign, int) and 0 < bits <= 32:
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if sign else (0, (1 << bits) - 1)
            rows.append((bits, "signed" if sign else "unsigned", low, high, n))
    return tuple(rows)


def _high_bit(facts: Facts) -> tuple[str, ...]:
    stored, high = numbers(facts.table, "bits_stored"), numbers(facts.table, "high_bit")
    if not (stored == stored).any():
        return ("No slice records its bit depth: the images were no DICOM files.",)
    wrong = int(((high != stored - 1) & (stored == stored) & (high == high)).sum())
    return (
        f"Slices whose high bit is not bits stored - 1: {wrong:,}."
        if wrong
        else "The high bit is bits stored - 1 wherever both are recorded, as PS3.3 C.7.6.3 wants it.",
    )


def _all(grid: Grid, value: str) -> bool:
    return len(grid.rows) == 1 and grid.rows[0][0] == value
