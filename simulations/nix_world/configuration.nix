{ config, lib, pkgs, ... }:

let
  workers = 4;
  settings = builtins.fromJSON (builtins.readFile ./settings.json);
  tools = import ./tools.nix {
    inherit pkgs;
@tools_arguments@
  };
in
{
  imports = [
@import_hardware@
    ./users.nix
@import_profile@
  ];

@host_name@
  time.timeZone = "Europe/Berlin";
@time_zone@

@ssh_enable@
@ssh_port@
@known_option@
@typed_option@
@backup_path@

@motd@
  environment.etcText = settings.greeting;
  environment.systemPackages = tools ++ [
    (import ./app.nix { inherit pkgs; })
@package_known@
@package_scoped@
@package_allowed@
  ];
@allowances@

  assertions = [
    {
      assertion = config.services.openssh.port != config.services.nginx.port;
      message = "services.openssh.port and services.nginx.port must differ, both are ${toString config.services.nginx.port}";
    }
  ];

@system_check@
  system.stateVersion = "23.11";
}
