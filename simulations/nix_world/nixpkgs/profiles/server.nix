{ ... }: { networking.firewall.enable = true; }
