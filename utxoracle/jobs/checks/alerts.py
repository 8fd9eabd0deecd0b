"""Whether somebody is told when something fails."""

from utxoracle.jobs.checks.unseen import raise_if_closed
from utxoracle.jobs.health import Check, CheckStatus
from utxoracle.jobs.webhook import Webhook
from utxoracle.settings import Settings, variable_of


def alerts(settings: Settings) -> Check:
    """Check that alerts could be sent with what is set; none is.

    Raises:
        OSError: This user may not read the URL or the key.
        UsageError: They can't be used.
    """
    for path in filter(None, (settings.alert_url_file, settings.alert_secret_file)):
        raise_if_closed(path)
    webhook = Webhook.from_settings(settings)
    if webhook is None:
        return Check(
            CheckStatus.UNKNOWN,
            f"nobody is told when something fails: set {variable_of('alert_url')}, if somebody "
            "shall be",
        )
    return Check(CheckStatus.OK, f"sent to {webhook.place}; utxoracle alert --event test sends one")
