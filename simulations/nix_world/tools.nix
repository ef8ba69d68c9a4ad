{ pkgs, editor }:
[ pkgs.${editor} pkgs.curl ]
