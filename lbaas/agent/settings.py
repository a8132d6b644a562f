"""Where an agent's server is, who the agent is, and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from lbaas.client.agent import AgentClient
from lbaas.client.credentials import Credentials, Files
from lbaas.errors import LbaasError


@dataclass(frozen=True)
class AgentSettings:
    """Where the server is, who we are, where our files are, and how often drift is looked for.

    Who we are is a token's or a certificate's to say, or both's; the certificate is in the state directory.
    """

    server_url: str
    token_file: Path | None
    state_dir: Path
    cycle_s: float

    @property
    def files(self) -> Files:
        """Where our certificate is, if we have one."""
        return Files(self.state_dir)

    def credentials(self) -> Credentials:
        """What we show the server. Raises LbaasError if we have nothing to show."""
        files, token = self.files, self._token()
        if token is None and not files.identity.exists():
            raise LbaasError(
                f"no certificate in {self.state_dir}, and no token in {self.token_file}: enrol this machine, with a "
                "token of lbaas node enrol or lbaas host enrol"
            )
        return Credentials(token, files.identity, files.authorities)

    def _token(self) -> str | None:
        """None where there is no such file: its name is in the settings that a machine is installed with."""
        if self.token_file is None or not self.token_file.exists():
            return None
        return self.token_file.read_text().strip()

    def client(self) -> AgentClient:
        """One for a single thread. Raises LbaasError as :meth:`credentials` does."""
        return AgentClient(self.server_url, self.credentials())
