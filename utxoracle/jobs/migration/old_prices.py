"""The rows of all databases of the predecessor that a tree has, wherever they are by now."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from utxoracle.errors import StorageError
from utxoracle.jobs.migration.copying import PART
from utxoracle.jobs.migration.kinds import Kind
from utxoracle.jobs.migration.layout import PREDECESSOR
from utxoracle.jobs.migration.old_rows import LOCAL_DAYS, read_old_rows
from utxoracle.jobs.migration.plan import Plan, origin_of
from utxoracle.jobs.migration.tree import IN_PROGRESS

if TYPE_CHECKING:
    from utxoracle.store.predecessor import PredecessorRow


@dataclass
class OldPrices:
    """What the predecessor's databases hold.

    Attributes:
        files: Number of databases.
        rows: All that can be imported.
        refused: Number of rows that can't be.
        remarks: What to know about them.
        refusals: Databases that can't be read now, or are no predecessor's.
    """

    files: int = 0
    rows: "list[PredecessorRow]" = field(default_factory=list)
    refused: int = 0
    remarks: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def read_old_prices(plan: Plan, *, are_taken: bool = False) -> OldPrices:
    """Return the rows of the databases that a plan takes over, and of those taken over before.

    A row is marked with the place where its database was found, which stays the same when the
    file is moved.

    Args:
        plan: Where databases are, and where they go.
        are_taken: Whether they have gone there.
    """
    taken = plan.base / PREDECESSOR
    paths = {path.relative_to(taken): path for path in taken.rglob("*") if path.is_file()}
    for step in () if are_taken else plan.steps:
        if step.found.kind is Kind.DATABASE:
            paths[origin_of(step.found.name, plan.tree.root)] = step.found.path
    prices = OldPrices()
    for origin, path in sorted(paths.items()):
        if path.name.endswith((".wal", PART, IN_PROGRESS)):
            continue
        prices.files += 1
        try:
            found = read_old_rows(path, str(origin))
        except StorageError as error:
            prices.refusals.append(str(error))
            continue
        if found.is_ours:
            prices.refusals.append(
                f"{path} is a database of this program: name the old folder alone, or see "
                "docs/operations.md, Moving"
            )
            continue
        prices.rows += found.rows
        prices.refused += found.refused
        prices.remarks += found.remarks
    if prices.rows:
        prices.remarks.append(LOCAL_DAYS)
    return prices
