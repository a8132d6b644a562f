"""Two hundred resources by the real Terraform: made, seen to be settled, and destroyed."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lbaas.client.api import ApiClient
from lbaas.errors import ToolMissing
from tests.bench.figures import Figures
from tests.integration.server.conftest import make_site, start_server
from tests.integration.server.test_terraform import HEAD, LAUNCHER, PLUGIN

COUNT = 200
POOLS = """
resource "lbaas_pool" "many" {
  count = %d
  name  = "pool-${count.index}"
  members { address = "10.0.20.11" }
  members { address = "10.0.20.12" }
}
"""


def main() -> None:
    if shutil.which("terraform") is None:
        raise ToolMissing("no terraform here: put Terraform 1.5 or newer on the PATH")
    folder = Path(tempfile.mkdtemp(prefix="lbaas-bench-", dir="/tmp"))
    folder.chmod(0o755)
    server = start_server(folder)
    figures = Figures()
    try:
        with ApiClient(server.url, server.admin_token) as admin, make_site(server, admin) as site:
            bearer = {"name": "tf", "role": "member", "tenant_id": site.tenant["id"]}
            token = str(admin.post("/v1/tokens", bearer)["token"])
            work = workspace(folder / "terraform", server.url, token)
            for name, goal_s, *arguments in (
                ("apply", 60, "apply", "-auto-approve"),
                ("second_plan", 60, "plan", "-detailed-exitcode"),
                ("destroy", 60, "destroy", "-auto-approve"),
            ):
                figures.at_most(f"terraform.{COUNT}.{name}", work(*arguments), "s", goal_s)
    finally:
        server.stop()
        shutil.rmtree(folder)
    figures.finish()


def workspace(folder: Path, url: str, token: str) -> Callable[..., float]:
    """Runs Terraform there; the seconds that it took."""
    launcher = folder / PLUGIN
    launcher.parent.mkdir(parents=True)
    launcher.write_text(LAUNCHER.format(python=sys.executable))
    launcher.chmod(0o755)
    mirror = f'provider_installation {{ filesystem_mirror {{ path = "{folder}/plugins" }} }}'
    (folder / "rc").write_text(mirror)
    (folder / "main.tf").write_text(HEAD + POOLS % COUNT)
    environment = {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(folder / "rc"),
        "CHECKPOINT_DISABLE": "1",
        "LBAAS_SERVER_URL": url,
        "LBAAS_TOKEN": token,
        "PYTHONPATH": str(Path.cwd()),
    }

    def run(*arguments: str) -> float:
        begun = time.monotonic()
        subprocess.run(
            ["terraform", *arguments], cwd=folder, env=environment, check=True, stdout=sys.stderr
        )
        return time.monotonic() - begun

    run("init")
    return run


if __name__ == "__main__":
    main()
