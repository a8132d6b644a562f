"""The provider: ``terraform-provider-lbaas`` is started by Terraform and speaks its protocol."""

import os
from typing import Any

from tf.iface import Config, Provider
from tf.runner import run_provider
from tf.schema import Attribute, Schema
from tf.types import Number, String
from tf.utils import Diagnostics

from lbaas.cli import profiles
from lbaas.client.api import ApiClient
from lbaas.client.kinds import KINDS, MEMBERS, AnyKind
from lbaas.errors import LbaasError
from lbaas.terraform.resources import KindData, KindResource

WAIT_S = 60.0


class LbaasProvider(Provider):  # type: ignore[misc]  # the framework has no types
    """Knows the server; without a configuration the one that the command line would ask."""

    api: ApiClient
    wait_s: float = WAIT_S

    def get_model_prefix(self) -> str:
        return "lbaas_"

    def full_name(self) -> str:
        return "registry.terraform.io/lbaas/lbaas"

    def get_provider_schema(self, diags: Diagnostics) -> Schema:  # noqa: ARG002 - the framework's signature
        return Schema(
            [
                Attribute(
                    "url",
                    String(),
                    optional=True,
                    description="Else LBAAS_SERVER_URL, else the profile's.",
                ),
                Attribute(
                    "token",
                    String(),
                    optional=True,
                    sensitive=True,
                    description="Else LBAAS_TOKEN.",
                ),
                Attribute(
                    "profile", String(), optional=True, description="A profile of lbaas login."
                ),
                Attribute(
                    "wait_s",
                    Number(),
                    optional=True,
                    description="How long to wait until programmed; 60, 0 for not.",
                ),
            ]
        )

    def validate_config(self, diags: Diagnostics, config: Config) -> None:
        """All combinations make sense."""

    def configure_provider(self, diags: Diagnostics, config: Config) -> None:
        said = {"LBAAS_SERVER_URL": config.get("url"), "LBAAS_TOKEN": config.get("token")}
        environment = {**os.environ, **{name: value for name, value in said.items() if value}}
        try:
            profile = profiles.chosen(config.get("profile"), environment)
        except LbaasError as error:
            diags.add_error("No server is named", str(error))
            return
        self.api = ApiClient(profile.url, profile.token)
        if config.get("wait_s") is not None:
            self.wait_s = float(config["wait_s"])

    def get_resources(self) -> list[Any]:
        return [_made(KindResource, kind) for kind in (*KINDS.values(), MEMBERS)]

    def get_data_sources(self) -> list[Any]:
        return [_made(KindData, kind) for kind in KINDS.values() if kind.name != "token"]


def _made(base: type[Any], kind: AnyKind) -> type[Any]:
    return type(f"{base.__name__}_{kind.name}", (base,), {"kind": kind})


def main() -> None:
    """Serves until Terraform has had enough."""
    run_provider(LbaasProvider())
