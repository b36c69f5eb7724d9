"""How tables are laid out: partitioned by identity of `event_date`, and by nothing else.

Another program may have changed that. Files are read by the partition spec that they were written with; new files are
refused until the layout is set back, for a commit could not tell which files hold a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

DAY = "event_date"


def check_layout(table: Table) -> None:
    """Raise InvalidInput unless new files are partitioned by their day alone."""
    fields = table.spec().fields
    if len(fields) != 1 or day_positions(table).get(table.spec().spec_id) != 0:
        raise InvalidInput(
            f"{'.'.join(table.name())} is partitioned by {[str(field) for field in fields]}, not by {DAY} alone:"
            " another program changed its partition spec. Set it back (update_spec) before rows are written"
        )


def day_positions(table: Table) -> dict[int, int]:
    """Partition spec -> where its partitions state the day; specs that do not state it are left out.

    Raises:
        InvalidInput: the table has no column `event_date` of type date (any more).
    """
    from pyiceberg.transforms import IdentityTransform
    from pyiceberg.types import DateType

    day = next((field for field in table.schema().fields if field.name == DAY), None)
    if day is None or not isinstance(day.field_type, DateType):
        raise InvalidInput(f"{'.'.join(table.name())} has no column {DAY!r} of type date: another program changed it")
    return {
        number: position
        for number, spec in table.specs().items()
        for position, field in enumerate(spec.fields)
        if field.source_id == day.field_id and isinstance(field.transform, IdentityTransform)
    }


def day_reader(table: Table) -> Callable[[DataFile], date]:
    """What tells the day that a data file belongs to.

    It raises InvalidInput for a file whose partition spec does not state it.
    """
    from pyiceberg.utils.datetime import days_to_date

    positions = day_positions(table)

    def day(file: DataFile) -> date:
        if file.spec_id not in positions:
            raise InvalidInput(
                f"{'.'.join(table.name())}: {file.file_path} is partitioned by {table.specs()[file.spec_id]}, which"
                f" does not state {DAY}: another program wrote it. Write its days again with {DAY} as partition"
            )
        return days_to_date(file.partition[positions[file.spec_id]])

    return day
