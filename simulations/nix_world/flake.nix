{
  description = "one machine";
  outputs = { self }: {
    packages.x86_64-linux.system = import ./nixpkgs/system.nix { modules = [ ./configuration.nix ]; };
  };
}
