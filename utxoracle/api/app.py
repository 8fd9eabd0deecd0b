"""The WSGI application: which place is answered by what."""

from falcon import App, Request, Response

from utxoracle.api.answers import Answers
from utxoracle.api.latest import Latest
from utxoracle.api.problems import add_problems
from utxoracle.settings import Settings
from utxoracle.store.folder import DataFolder


def create_app(settings: Settings | None = None) -> App[Request, Response]:
    """Return the application, which opens nothing before the first request.

    Raises:
        UsageError: A setting can't be used.
    """
    settings = settings or Settings.from_environment()
    folder = DataFolder(settings.data_folder())
    answers = Answers(folder, private=settings.api_token_file is not None)

    app = App()
    # `days=` is a mistake to be told, not a parameter that isn't there.
    app.req_options.keep_blank_qs_values = True
    app.req_options.strip_url_path_trailing_slash = True
    add_problems(app)
    app.add_route("/api/prices/latest", Latest(answers))
    return app
