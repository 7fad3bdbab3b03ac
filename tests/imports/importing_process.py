"""An import in a process of its own, which may be killed at any moment: it prints its progress, a line a transaction.

python -m tests.imports.importing_process APP_URL REDIS_URL SECRETS_FOLDER FILE
"""

import json
import os
import resource
import sys
from pathlib import Path

from redis import Redis

from clearing.claims.vault import open_vault
from clearing.garbage import collect_seldom
from clearing.service import Service
from clearing.settings import Settings
from clearing.transfers.importing import Importer, Summary
from clearing.transfers.sources import open_source
from tenants.kernel.clock import SystemClock
from tenants.kernel.database import open_engine
from tenants.kernel.secrets import load_secrets
from tests.imports.files import LOCAL


def told(summary: Summary) -> None:
    """Where the import is, and the most memory (in KiB) that it has taken."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts = {"read": summary.read, "stored": summary.stored, "refused": summary.refused, "peak": peak}
    sys.stdout.write(json.dumps(counts) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Import the file as the command does."""
    app_url, redis_url, secrets_folder, file = sys.argv[1:]
    os.umask(0o077)
    folder, path = Path(secrets_folder), Path(file)
    secrets = load_secrets(folder)
    settings = Settings(app_url, redis_url, folder, demonstration=True)
    engine, redis = open_engine(app_url), Redis.from_url(redis_url)
    service = Service(settings, engine, redis, secrets, open_vault(secrets), SystemClock())
    collect_seldom()
    with open_source(path, path.with_suffix(".errors"), None, support=True, caller=LOCAL) as source:
        told(Importer(service, LOCAL).run(source, told))


if __name__ == "__main__":
    main()
