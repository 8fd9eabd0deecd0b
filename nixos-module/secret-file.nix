# Options that name a file with a secret in it. What lies in the Nix store can be read by everybody,
# and so it must not come there: not by a literal path either, which Nix would copy into it.
{ lib }:
{
  mkOption =
    attrs:
    lib.mkOption (
      {
        type = lib.types.nullOr lib.types.path;
        default = null;
      }
      // attrs
    );

  # Assertion that `file`, the value of the option `name`, is none of the store's.
  check = name: file: {
    assertion =
      file == null || !(builtins.isPath file || lib.hasPrefix builtins.storeDir (toString file));
    message =
      "services.utxoracle.${name} points into the Nix store, which everybody can read: give the "
      + "path of a file outside of it, as a text in quotes (\"/etc/secrets/…\"), and put the secret there.";
  };
}
