# What the flake uses of nixpkgs' library, in a few lines. A path or a name that isn't there is an
# error, as it would be in the real one.
let
  inherit (builtins)
    all
    attrNames
    concatMap
    concatStringsSep
    elem
    filter
    fromJSON
    fromTOML
    head
    isAttrs
    isPath
    listToAttrs
    mapAttrs
    pathExists
    readFile
    stringLength
    substring
    ;

  genAttrs =
    names: value:
    listToAttrs (
      map (name: {
        inherit name;
        value = value name;
      }) names
    );
  getAttrs = names: set: genAttrs names (name: set.${name});
  optionalAttrs = condition: set: if condition then set else { };
  intersectLists = left: filter (one: elem one left);
  filterAttrs = isKept: set: getAttrs (filter (name: isKept name set.${name}) (attrNames set)) set;
  hasSuffix =
    suffix: text:
    let
      length = stringLength text - stringLength suffix;
    in
    length >= 0 && substring length (-1) text == suffix;
  removeSuffix =
    suffix: text:
    if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  removePrefix =
    prefix: text:
    let
      length = stringLength prefix;
    in
    if substring 0 length text == prefix then substring length (stringLength text) text else text;
  getExe = package: "${package}/bin/${package.meta.mainProgram}";
  mkDefault = content: {
    _type = "override";
    priority = 1000;
    inherit content;
  };

  # A set of files is a list of paths here, which must all be there.
  files =
    set:
    if !isPath set then
      set
    else if pathExists set then
      [ set ]
    else
      throw "${toString set} is named in a set of files, and isn't there";
  fileset = {
    unions = concatMap files;
    difference = left: right: builtins.deepSeq (files right) (files left);
    fileFilter = _: files;
    maybeMissing = path: if pathExists path then [ path ] else [ ];
    toSource =
      { root, fileset }: builtins.deepSeq (files fileset) "source of ${baseNameOf (toString root)}";
  };

  # A module is only read, with those that it imports: to evaluate it takes the real NixOS.
  readModule =
    module:
    if isPath module then
      readModule (import module)
    else if isAttrs module then
      all readModule (module.imports or [ ])
    else
      true;
  nixosSystem =
    { modules }:
    let
      built =
        name:
        derivation {
          inherit name;
          system = "x86_64-linux";
          builder = "/bin/sh";
          modules = all readModule modules;
        }
        // {
          meta.mainProgram = "run-stub-vm";
        };
    in
    {
      config.system.build = {
        toplevel = built "nixos-system-stub";
        vm = built "nixos-vm-stub";
      };
    };

  # Options are the business of the tests that have the real library.
  evalModules =
    { modules }:
    {
      options.services = { };
    };
in
{
  inherit
    attrNames
    concatStringsSep
    evalModules
    fileset
    filter
    filterAttrs
    genAttrs
    getAttrs
    getExe
    hasSuffix
    head
    intersectLists
    mapAttrs
    mkDefault
    nixosSystem
    optionalAttrs
    readFile
    readModule
    removePrefix
    removeSuffix
    ;
  importJSON = file: fromJSON (readFile file);
  importTOML = file: fromTOML (readFile file);
  licenses.mit.spdxId = "MIT";
  platforms.linux = [
    "x86_64-linux"
    "aarch64-linux"
  ];
}
