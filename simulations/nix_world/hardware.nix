{ ... }:
{
  fileSystems.root = "/dev/disk/by-label/nixos";
  boot.loader.grub.enable = true;
}
