"""``doctor``: find damage in the library and repair it."""

from __future__ import annotations

from typing import Annotated

import typer

from twobranch.commands.shared import Json, Options, command, print_json


@command
def doctor(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Repair the damage; without this nothing is changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the whole library for damage.

    Every byte that searches rely on is read. Exit 1 if damage was found and not repaired. To repair a damaged
    catalogue, its rows are copied into a new one; the damaged file is kept beside it. The next `index`
    encodes lost photos again.

    \b
    Examples:
      twobranch doctor
      twobranch doctor --repair && twobranch index
    """
    from twobranch.indexer.catalog.library import find_library
    from twobranch.indexer.maintenance.doctor import examine
    from twobranch.retrieval.confidence import Calibration
    from twobranch.retrieval.display.tables import doctor_text

    library = find_library(Options.of(context).library)
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
