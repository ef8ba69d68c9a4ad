# A module system small enough to read: options, types, conflicts, assertions, worded like nixpkgs' lib.
# It is no replacement for nixpkgs: it exists so that worlds fail with true messages, offline, in 50 ms.
let
  inherit (builtins) attrNames concatLists concatStringsSep elem filter head isAttrs isFunction isPath isString
    length listToAttrs map mapAttrs toJSON;
  hasPath = path: set: path == [ ] || (isAttrs set && set ? ${head path} && hasPath (builtins.tail path) set.${head path});
  getPath = path: set: if path == [ ] then set else getPath (builtins.tail path) set.${head path};
  setPath = path: value: if path == [ ] then value else { ${head path} = setPath (builtins.tail path) value; };
  show = v: if isString v || builtins.isBool v || builtins.isInt v || builtins.isList v then toJSON v else "<${builtins.typeOf v}>";
  dotted = concatStringsSep ".";
  showDefs = defs: concatStringsSep "" (map (d: "\n- In `${d.file}': ${show d.value}") defs);
in
rec {
  isOption = v: isAttrs v && (v._type or "") == "option";
  mkOption = attrs: attrs // { _type = "option"; };
  recursiveUpdate = a: b: if isAttrs a && isAttrs b && !(isOption b)
    then a // mapAttrs (n: v: if a ? ${n} then recursiveUpdate a.${n} v else v) b else b;
  types = {
    bool = { description = "boolean"; check = builtins.isBool; };
    str = { description = "string"; check = isString; };
    port = { description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)";
      check = v: builtins.isInt v && v >= 0 && v < 65536; };
    listOf = of: { description = "list of ${of.description}s"; check = builtins.isList; merge = concatLists; };
    anything = { description = "anything"; check = _: true; };
  };
  evalModules = { modules, args }:
    let
      load = m:
        let
          value = if isPath m || isString m then import m else m;
          called = if isFunction value then value (args // { inherit config; }) else value;
          file = if isPath m || isString m then toString m else toString (called._file or "<unknown-file>");
          body = called.config or (removeAttrs called [ "imports" "options" "_file" ]);
        in
        [ { inherit file body; options = called.options or { }; } ] ++ concatLists (map load (called.imports or [ ]));
      loaded = concatLists (map load modules);
      options = builtins.foldl' recursiveUpdate { } (map (m: m.options) loaded);
      paths = prefix: set: concatLists (map
        (n: if isOption set.${n} then [ (prefix ++ [ n ]) ] else paths (prefix ++ [ n ]) set.${n})
        (attrNames set));
      check = file: prefix: opts: defs: builtins.all
        (n:
          if !(opts ? ${n}) then
            throw "The option `${dotted (prefix ++ [ n ])}' does not exist. Definition values:${showDefs [ { inherit file; value = defs.${n}; } ]}"
          else isOption opts.${n} || check file (prefix ++ [ n ]) opts.${n} defs.${n})
        (attrNames defs);
      valueOf = path:
        let
          opt = getPath path options;
          defs = map (m: { inherit (m) file; value = getPath path m.body; }) (filter (m: hasPath path m.body) loaded);
          wrong = filter (d: !(opt.type.check d.value)) defs;
        in
        if wrong != [ ] then
          throw "A definition for option `${dotted path}' is not of type `${opt.type.description}'. Definition values:${showDefs wrong}"
        else if opt.type ? merge then opt.type.merge (map (d: d.value) defs)
        else if defs == [ ] then opt.default or (throw "The option `${dotted path}' is used but not defined.")
        else if builtins.any (d: d.value != (head defs).value) defs then
          throw "The option `${dotted path}' has conflicting definition values:${showDefs defs}\nUse `lib.mkForce value` or `lib.mkDefault value` to change the priority on any of these definitions."
        else (head defs).value;
      config = builtins.foldl' recursiveUpdate { } (map (p: setPath p (valueOf p)) (paths [ ] options));
      checked = builtins.all (m: check m.file [ ] options m.body) loaded;
    in
    { inherit options; config = if checked then config else throw "unreachable"; };
}
