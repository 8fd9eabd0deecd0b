"""An empty data folder, ready for the first run."""

from utxoracle.bitcoin.network import Network
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder
from utxoracle.store.mounts import check_mounted


def init_db(settings: Settings, network: Network) -> tuple[DataFolder, bool]:
    """Make folder, database and empty snapshot; return the folder and whether it was made now.

    A valid database that is there already stays as it is.

    Raises:
        UsageError: There is no home folder to make it in.
        StorageError: Its disk is not mounted, or the folder can't be written, or holds something
            else.
    """
    from utxoracle.store.database import create_database

    check_mounted(settings)
    folder = DataFolder(settings.data_folder())
    return folder, create_database(folder, network)
