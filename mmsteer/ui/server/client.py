"""Who sends a request: the address that the hub's proxy saw on a Space, else the one that is connected."""

import ipaddress
import os
from typing import Any

from mmsteer.ui.server.turns import Client

_HOME = 64  # bits that tell one IPv6 connection from another; the rest is the visitor's own choice


def on_space() -> bool:
    """Whether this is a Space, behind the hub's proxy."""
    return bool(os.environ.get("SPACE_ID"))


def client_of(request: Any, visit: str) -> Client:
    """The client behind a request.

    Args:
        request: of FastAPI.
        visit: the session that it names, which is the visitor's own choice.
    """
    address = request.client.host if request.client else ""
    if on_space():
        address = _forwarded(", ".join(request.headers.getlist("x-forwarded-for"))) or address
    return Client(_network(address), visit)


def _forwarded(header: str) -> str:
    """The address that the proxy has added. Proxies add at the end, and have private addresses themselves."""
    for entry in reversed(header.split(",")):
        try:
            if ipaddress.ip_address(entry.strip()).is_global:
                return entry.strip()
        except ValueError:
            return ""
    return ""


def _network(address: str) -> str:
    """An IPv4 address as it is, of an IPv6 address the network."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return address
    return address if version == 4 else str(ipaddress.ip_network((address, _HOME), strict=False))
