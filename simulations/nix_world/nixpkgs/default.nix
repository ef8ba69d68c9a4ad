# The package set: builders are /bin/sh, refusals are worded like nixpkgs' check-meta.
{ config ? { } }:
let
  allow = name: (config.${name} or false) || builtins.getEnv { allowUnfree = "NIXPKGS_ALLOW_UNFREE"; allowBroken = "NIXPKGS_ALLOW_BROKEN"; }.${name} == "1";
  refuse = name: word: option: throw ''
    Package ‘${name}’ in ${toString ./default.nix}:${option.line} ${word}, refusing to evaluate.

    a) To temporarily allow ${option.kind} packages, you can use an environment variable
       for a single invocation of the nix tools.

         $ export ${option.variable}=1

    b) For `nixos-rebuild` you can set
      { nixpkgs.config.${option.name} = true; }
    in configuration.nix to override this.
  '';
  unfree = { line = "31"; kind = "unfree"; variable = "NIXPKGS_ALLOW_UNFREE"; name = "allowUnfree"; };
  broken = { line = "33"; kind = "broken"; variable = "NIXPKGS_ALLOW_BROKEN"; name = "allowBroken"; };
  insecure = name: problem: if builtins.elem name (config.permittedInsecurePackages or [ ]) then mkDerivation { inherit name; } else throw ''
    Package ‘${name}’ in ${toString ./default.nix}:35 is marked as insecure, refusing to evaluate.

    Known issues:
     - ${problem}

    You can install it anyway by allowing this package, using the
    following methods:

    a) for `nixos-rebuild` you can add ‘${name}’ to
       `nixpkgs.config.permittedInsecurePackages` in the configuration.nix,
       like so:

         {
           nixpkgs.config.permittedInsecurePackages = [
             "${name}"
           ];
         }
  '';
  mkDerivation = { name, script ? "mkdir -p $out && echo ${name} > $out/name", inputs ? [ ], builder ? "/bin/sh", system ? "x86_64-linux", ... }@attrs:
    derivation ({ inherit name builder system inputs; PATH = "/usr/bin:/bin"; args = [ "-ec" script ]; }
      // removeAttrs attrs [ "script" "inputs" "builder" "system" ]);
in
{
  inherit mkDerivation;
  vscode = if allow "allowUnfree" then mkDerivation { name = "vscode-1.86.0"; } else refuse "vscode-1.86.0" "has an unfree license (‘unfree’)" unfree;
  steam = if allow "allowUnfree" then mkDerivation { name = "steam-1.0.0.78"; } else refuse "steam-1.0.0.78" "has an unfree license (‘unfreeRedistributable’)" unfree;
  calibre = if allow "allowBroken" then mkDerivation { name = "calibre-6.29.0"; } else refuse "calibre-6.29.0" "is marked as broken" broken;
  electron = insecure "electron-24.8.6" "Electron version 24.8.6 is EOL";
  openssl_1_1 = insecure "openssl-1.1.1w" "OpenSSL 1.1 is reaching its end of life on 2023/09/11";
  youtube-dl-light = throw "'youtube-dl-light' has been renamed to/replaced by 'yt-dlp'";
  exa = throw "'exa' has been removed because it is unmaintained upstream. Consider using 'eza'";
} // builtins.listToAttrs (map (name: { inherit name; value = mkDerivation { inherit name; }; }) [
  "curl" "eza" "firefox" "git" "htop" "jq" "neovim" "ripgrep" "thunderbird" "tmux" "vim" "wget" "yt-dlp"
])
