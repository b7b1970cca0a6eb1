"""``doctor``: is the library sound, and what can be mended."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.shared import Given, Json, command, print_json


@command
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended; without it nothing is changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look through the whole library for damage: every byte that searches trust.

    Exit 1 when something is wrong and was not mended. A damaged catalogue is copied row by row into a new
    one; the damaged file is kept beside it. What was lost the next `index` encodes again.

    \b
    Examples:
      twobranch doctor
      twobranch doctor --repair && twobranch index
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.doctor import examine
    from twobranch.retrieval.confidence import Calibration
    from twobranch.retrieval.display.tables import doctor_text

    library = find_library(Given.library)
    findings = examine(
        library, repair=repair, check_model=lambda model: Calibration.load(model.folder, model.dim)
    )
    sound = all(finding.fine or finding.done is not None for finding in findings)
    if as_json:
        checks = [finding.as_json() for finding in findings]
        print_json({"library": str(library), "sound": sound, "checks": checks})
    else:
        print(doctor_text(findings))
    if not sound:
        raise typer.Exit(1)
