"""From a create request and an image to a container's record: checks, dockerd's merging rules, defaults. No I/O."""

from __future__ import annotations

import shlex
from typing import Any, Mapping, Optional

from skiff.engine import capabilities, confinement, fields, limits, logoptions, signals
from skiff.engine.settings import Settings
from skiff.errors import InvalidInput, Unsupported

NETWORKS = ("none", "host")


def check_request(
    config: Mapping[str, Any], host_config: Mapping[str, Any], networking: Optional[Mapping[str, Any]], settings: Settings
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """All fields of Config and HostConfig, complete and checked but for the image's part, and warnings."""
    own = fields.read("Config", fields.CONFIG, config)
    host = fields.read("HostConfig", fields.HOST_CONFIG, host_config)
    _check_config(own)
    _check_network(host, networking or {})
    for size in host["ConsoleSize"]:
        fields.check_kind("HostConfig.ConsoleSize", "int", size)
    host["LogConfig"] = _log_config(host["LogConfig"], settings)
    confinement.choose(host)
    capabilities.choose(host["CapAdd"], host["CapDrop"])
    limits.complete(host)
    return own, host, limits.check(host)


def _check_config(config: dict[str, Any]) -> None:
    for name in ("Cmd", "Entrypoint"):
        if isinstance(config[name], str):
            config[name] = [config[name]]
    _check_texts(config)
    for variable in config["Env"] or ():
        if variable.startswith("=") or not variable:
            raise InvalidInput(f"invalid environment variable: {variable}")
    directory = config["WorkingDir"]
    if directory and not directory.startswith("/"):
        raise InvalidInput(f"the working directory '{directory}' is invalid, it needs to be an absolute path")
    if config["StopSignal"]:
        signals.number(config["StopSignal"])
    if (config["StopTimeout"] or 0) < -1:
        raise InvalidInput(f"invalid stop timeout: {config['StopTimeout']}")
    fields.string_map("Config.Labels", config["Labels"])


def _check_texts(config: Mapping[str, Any]) -> None:
    """No system call takes a NUL byte."""
    for name in ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell", "Hostname", "Domainname", "User", "WorkingDir"):
        texts = [config[name]] if isinstance(config[name], str) else fields.strings(f"Config.{name}", config[name])
        if any("\0" in text for text in texts):
            raise InvalidInput(f"Config.{name}: must not hold a NUL byte")
    for port, value in (config["ExposedPorts"] or {}).items():
        fields.check_kind(f"Config.ExposedPorts.{port}", "object", value)


def _check_network(host: dict[str, Any], networking: Mapping[str, Any]) -> None:
    mode = host["NetworkMode"]
    if mode in ("", "default", "bridge"):
        raise Unsupported("bridge networking is not supported by this version of Skiff yet: use --network none or --network host")
    if mode not in NETWORKS:
        raise Unsupported(f"network {mode} not found: this version of Skiff has --network none and --network host only")
    fields.check_kind("NetworkingConfig.EndpointsConfig", "object", networking.get("EndpointsConfig"))
    for name, endpoint in (networking.get("EndpointsConfig") or {}).items():
        fields.check_kind(f"NetworkingConfig.EndpointsConfig.{name}", "object", endpoint)
        asks = [key for key, value in (endpoint or {}).items() if value not in (None, "", 0, False, [], {})]
        if name != mode or asks:
            told = f"{name}: {', '.join(asks)}" if asks else name
            raise Unsupported(f"NetworkingConfig.EndpointsConfig {told} is not supported by this version of Skiff yet")


def _log_config(given: Optional[Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    driver = (given or {}).get("Type") or settings.log_driver
    fields.check_kind("HostConfig.LogConfig.Type", "string", driver)
    options = fields.string_map("HostConfig.LogConfig.Config", (given or {}).get("Config"))
    if not options and driver == settings.log_driver:
        options = dict(settings.log_opts)
    logoptions.check_options(driver, options)
    return {"Type": driver, "Config": dict(options)}


def check_image(image: Mapping[str, Any]) -> None:
    """An image's configuration comes from wherever the image does; refuse what does not have its type."""
    for name in ("User", "WorkingDir", "StopSignal"):
        fields.check_kind(f"the image's {name}", "string", image.get(name))
    for name in ("Env", "Cmd", "Entrypoint"):
        fields.strings(f"the image's {name}", image.get(name))
    for name in ("ExposedPorts", "Volumes", "Healthcheck"):
        fields.check_kind(f"the image's {name}", "object", image.get(name))
    fields.string_map("the image's Labels", image.get("Labels"))


def merge_image(config: dict[str, Any], image: Mapping[str, Any], identity: str) -> list[str]:
    """Take over from the image what the request leaves open, as dockerd does; the warnings that this gives."""
    check_image(image)
    for name in ("User", "WorkingDir", "StopSignal"):
        config[name] = config[name] or image.get(name) or ""
    if not config["Entrypoint"]:
        # An entrypoint of one empty string asks for none at all, the image's included.
        config["Cmd"] = config["Cmd"] or list(image.get("Cmd") or ()) or None
        config["Entrypoint"] = list(image.get("Entrypoint") or ()) or None
    elif config["Entrypoint"] == [""]:
        config["Entrypoint"] = None
    config["Env"] = _merge_environment(config["Env"], image.get("Env"))
    for name in ("Labels", "ExposedPorts"):
        config[name] = {**(image.get(name) or {}), **(config[name] or {})}
    config["ExposedPorts"] = config["ExposedPorts"] or None
    config["Hostname"] = config["Hostname"] or identity[:12]
    if not config["Cmd"] and not config["Entrypoint"]:
        raise InvalidInput("No command specified")
    return _warnings(image)


def _merge_environment(own: Optional[list[str]], image: Optional[list[str]]) -> Optional[list[str]]:
    names = {variable.partition("=")[0] for variable in own or ()}
    kept = [variable for variable in image or () if variable.partition("=")[0] not in names]
    return [*(own or ()), *kept] or None


def _warnings(image: Mapping[str, Any]) -> list[str]:
    warnings = []
    if image.get("Volumes"):
        paths = ", ".join(sorted(image["Volumes"]))
        warnings.append(f"The image declares volumes ({paths}); Skiff keeps them in the container's own layer for now.")
    if (image.get("Healthcheck") or {}).get("Test", ["NONE"]) != ["NONE"]:
        warnings.append("The image declares a health check; Skiff does not run it yet.")
    return warnings


def environment(config: Mapping[str, Any], default_path: str) -> list[str]:
    """What the container's process gets: dockerd's two variables, under the request's own."""
    given = list(config["Env"] or ())
    names = {variable.partition("=")[0] for variable in given}
    base = [("PATH", default_path), ("HOSTNAME", config["Hostname"])]
    return [*(f"{name}={value}" for name, value in base if name not in names), *(item for item in given if "=" in item)]


def command_line(command: list[str]) -> str:
    """The command as tables show it."""
    return " ".join(shlex.quote(word) for word in command)
