{ pkgs }:
let
  src = pkgs.mkDerivation {
    name = "@app@-src";
    script = "echo '@app@ 1.0' > $out";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
@source_hash@
  };
  dep = pkgs.mkDerivation {
    name = "lib@app@";
@dep_script@
  };
in
pkgs.mkDerivation {
  name = "@app@-1.0";
  inputs = [ src dep ];
@app_system@
@app_builder@
@app_script@
}
