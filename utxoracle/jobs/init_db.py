"""An empty data folder, ready for the first run."""

from utxoracle.bitcoin.network import Network
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder
from utxoracle.store.mounts import check_mounted


def init_db(settings: Settings, network: Network, *, anew: bool = False) -> tuple[DataFolder, bool]:
    """Make folder, database and empty snapshot; return the folder and whether it was made now.

    A valid database that is there already stays as it is.

    Args:
        settings: Where the data folder and the backups are.
        network: The network of the database.
        anew: Whether to begin a new one also where there are backups of another.

    Raises:
        UsageError: There is no home folder to make it in.
        StorageError: Its disk is not mounted, or the folder can't be written, or holds something
            else; or there is no database, but backups of one.
    """
    from utxoracle.store.database import create_database

    check_mounted(settings)
    folder = DataFolder(settings.data_folder())
    return folder, create_database(
        folder, network, backups=None if anew else settings.backup_folder()
    )
