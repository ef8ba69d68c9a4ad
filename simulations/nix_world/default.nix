import ./nixpkgs/system.nix { modules = [ ./configuration.nix ]; }
