{ lib, ... }:
let
  inherit (lib) mkOption types;
  flag = mkOption { type = types.bool; default = false; };
  text = default: mkOption { type = types.str; inherit default; };
in
{
  options = {
    assertions = mkOption { type = types.listOf types.anything; };
    boot.loader.grub.enable = flag;
    environment.etcText = text "";
    environment.motd = text "";
    environment.systemPackages = mkOption { type = types.listOf types.anything; };
    fileSystems.root = mkOption { type = types.str; };
    networking.firewall.enable = flag;
    networking.hostName = mkOption { type = types.str; };
    nixpkgs.config.allowBroken = flag;
    nixpkgs.config.allowUnfree = flag;
    nixpkgs.config.permittedInsecurePackages = mkOption { type = types.listOf types.str; };
    programs.zsh.enable = flag;
    services.backup.path = text "/var/backup";
    services.nginx.enable = flag;
    services.nginx.port = mkOption { type = types.port; default = 80; };
    services.openssh.enable = flag;
    services.openssh.port = mkOption { type = types.port; default = 22; };
    services.printing.enable = flag;
    system.check = text "true";
    system.stateVersion = mkOption { type = types.str; };
    time.timeZone = mkOption { type = types.str; };
    users.names = mkOption { type = types.listOf types.str; };
  };
}
